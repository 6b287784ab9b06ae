"""Data protection, encryption and secrets."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest

from tests.unit.graph import Graph, Secret, build, committed

DATA = ["ebs.Volume gfs1-data", "ebs.Volume gfs2-data", "ebs.Volume gfs3-data", "rds.Instance database"]


def visible_texts(value: Any) -> Iterator[str]:
    """Every text in a value, except secrets; base64 text also in its decoded form."""
    if isinstance(value, Secret):
        return
    if isinstance(value, dict):
        for name, part in value.items():
            yield from visible_texts(name)
            yield from visible_texts(part)
    elif isinstance(value, list):
        for part in value:
            yield from visible_texts(part)
    elif isinstance(value, str):
        yield value
        with suppress(ValueError):
            yield base64.b64decode(value, validate=True).decode()


@pytest.fixture(scope="module")
def with_mail() -> Graph:
    """The stack with a mail server, and its password."""
    site = committed("aws-wordpress")["ha-wordpress:site"]
    smtp = {"host": "smtp.rehearsal.test", "user": "site", "from": "site@rehearsal.test"}
    return build(site=site | {"smtp": smtp}, smtp_password="SECRET-smtp-password")


def test_no_input_or_output_shows_a_secret(with_mail: Graph) -> None:
    for resource in with_mail.resources.values():
        for text in visible_texts(resource.inputs):
            assert "SECRET-" not in text, f"{resource.key} shows {text}"
    for name, value in with_mail.outputs.items():
        assert not [text for text in visible_texts(value) if "SECRET-" in text], name


def test_a_preview_shows_every_command(aws_wordpress: Graph) -> None:
    for step in aws_wordpress.of_type("remote.Command"):
        assert isinstance(step.inputs["create"], str), step.name
        assert step.inputs["update"] == step.inputs["create"]
        assert "delete" not in step.inputs


def test_secrets_go_to_standard_input(with_mail: Graph) -> None:
    stdin = with_mail["remote.Command gfs1-wordpress-site"].inputs["stdin"]
    assert isinstance(stdin, Secret)
    assert "DB_ADMIN_PASSWORD=SECRET-database-password" in stdin.value
    assert "DB_PASSWORD=SECRET-wordpress-database" in stdin.value
    assert "ADMIN_PASSWORD=SECRET-wordpress-admin" in stdin.value
    assert "SMTP_PASSWORD=SECRET-smtp-password" in stdin.value


def test_the_output_of_commands_is_not_logged(aws_wordpress: Graph) -> None:
    assert {step.inputs["logging"] for step in aws_wordpress.of_type("remote.Command")} == {"none"}


def test_every_connection_checks_the_machines_host_key(aws_wordpress: Graph) -> None:
    for step in aws_wordpress.of_type("remote.Command"):
        node = step.name.split("-")[0]
        assert isinstance(step.inputs["connection"], Secret)
        connection = step.inputs["connection"].value
        assert connection["hostKey"] == f"ssh-ed25519 public-key-of-{node}-host-key"
        assert connection["host"] == f"elastic-ip-of-{node}"


def test_outputs_with_credentials_are_secret(aws_wordpress: Graph) -> None:
    assert isinstance(aws_wordpress.outputs["admin_password"], Secret)
    assert isinstance(aws_wordpress.outputs["ssh_private_key"], Secret)


@pytest.mark.parametrize("key", DATA)
def test_data_is_protected_and_kept(aws_wordpress: Graph, key: str) -> None:
    assert aws_wordpress[key].protect
    assert aws_wordpress[key].retain_on_delete


def test_nothing_but_data_is_protected(aws_wordpress: Graph) -> None:
    assert sorted(key for key, resource in aws_wordpress.resources.items() if resource.protect) == DATA


@pytest.mark.parametrize("key", DATA)
def test_one_setting_removes_the_protection(key: str) -> None:
    unprotected = build(protect_data=False)[key]
    assert not unprotected.protect
    assert not unprotected.retain_on_delete


def test_the_database_refuses_deletion_and_leaves_a_snapshot(aws_wordpress: Graph) -> None:
    database = aws_wordpress["rds.Instance database"].inputs
    assert database["deletionProtection"] is True
    assert database["skipFinalSnapshot"] is False
    assert database["finalSnapshotIdentifier"] == "database-1a2b3c4-0a1b2c3d-final"
    assert build(protect_data=False)["rds.Instance database"].inputs["deletionProtection"] is False


def test_an_input_that_replaces_the_database_also_renames_its_snapshot(aws_wordpress: Graph) -> None:
    life = aws_wordpress["random.RandomId database-life"].inputs
    assert life["keepers"] == {"engine": "mysql", "subnets": "database-1a2b3c4"}


def test_the_database_grows_by_itself_up_to_a_limit(aws_wordpress: Graph) -> None:
    assert aws_wordpress["rds.Instance database"].inputs["maxAllocatedStorage"] == 100
    assert build(database={"max_storage_gb": 30})["rds.Instance database"].inputs["maxAllocatedStorage"] == 30


def test_no_database_gets_extended_support_and_none_that_exists_is_changed_for_it(aws_wordpress: Graph) -> None:
    database = aws_wordpress["rds.Instance database"]
    assert database.inputs["engineLifecycleSupport"] == "open-source-rds-extended-support-disabled"
    assert database.ignore_changes == ("engineLifecycleSupport",)
    # Amazon offers Extended Support for MySQL only
    assert "engineLifecycleSupport" not in build(database={"engine": "mariadb"})["rds.Instance database"].inputs


def test_a_flood_costs_no_cpu_credits_unless_the_settings_say_so(aws_wordpress: Graph) -> None:
    assert aws_wordpress["ec2.Instance gfs1"].inputs["creditSpecification"] == {"cpuCredits": "standard"}
    bought = build(machine={"cpu_credits": "unlimited"})["ec2.Instance gfs1"].inputs
    assert bought["creditSpecification"] == {"cpuCredits": "unlimited"}
    assert "creditSpecification" not in build(machine={"type": "m7i.large"})["ec2.Instance gfs1"].inputs


def test_the_database_has_a_standby_encryption_backups_and_requires_tls(aws_wordpress: Graph) -> None:
    database = aws_wordpress["rds.Instance database"].inputs
    assert database["multiAz"] is True
    assert database["storageEncrypted"] is True
    assert database["backupRetentionPeriod"] == 7
    (parameter,) = aws_wordpress["rds.ParameterGroup database"].inputs["parameters"]
    assert (parameter["name"], parameter["value"]) == ("require_secure_transport", "1")


@pytest.mark.parametrize(
    ("database", "family"),
    [({}, "mysql8.4"), ({"version": "8.0.43"}, "mysql8.0"), ({"engine": "mariadb"}, "mariadb11.4")],
)
def test_the_parameter_group_fits_the_engine_version(database: dict[str, str], family: str) -> None:
    assert build(database=database)["rds.ParameterGroup database"].inputs["family"] == family


def test_every_data_disk_leaves_a_snapshot(aws_wordpress: Graph) -> None:
    volumes = [*aws_wordpress.of_type("ebs.Volume")]
    assert [(volume.inputs["finalSnapshot"], volume.delete_timeout) for volume in volumes] == [(True, "2h")] * 3


def test_every_disk_is_encrypted(aws_wordpress: Graph) -> None:
    for volume in aws_wordpress.of_type("ebs.Volume"):
        assert volume.inputs["encrypted"] is True
    for node in ("gfs1", "gfs2", "gfs3"):
        assert aws_wordpress[f"ec2.Instance {node}"].inputs["rootBlockDevice"]["encrypted"] is True


def test_instance_metadata_needs_a_token(aws_wordpress: Graph) -> None:
    for node in ("gfs1", "gfs2", "gfs3"):
        assert aws_wordpress[f"ec2.Instance {node}"].inputs["metadataOptions"]["httpTokens"] == "required"


def test_a_new_image_or_new_user_data_changes_no_existing_machine(aws_wordpress: Graph) -> None:
    assert aws_wordpress["ec2.Instance gfs1"].ignore_changes == ("ami", "userDataBase64")


def test_a_replaced_machine_releases_its_disk_by_its_own_shutdown(aws_wordpress: Graph) -> None:
    assert aws_wordpress["ec2.Instance gfs1"].delete_before_replace
    attachment = aws_wordpress["ec2.VolumeAttachment gfs1-data"]
    assert attachment.delete_before_replace
    assert attachment.retain_on_delete
    assert not attachment.inputs.get("stopInstanceBeforeDetaching")
    assert "ec2.Instance gfs1" not in aws_wordpress.after("ebs.Volume gfs1-data")


def test_disks_are_found_by_nitros_names(aws_wordpress: Graph) -> None:
    text = aws_wordpress["remote.Command gfs1-brick"].inputs["create"]
    assert "DISK=/dev/disk/by-id/nvme-Amazon_Elastic_Block_Store_volgfs1data " in text
