"""The steps of backup/: a site whose files and tables an attacker deletes comes back from object storage."""

from __future__ import annotations

import json
import secrets
import threading
import time
from collections.abc import Mapping
from pathlib import Path

import pytest
from botocore.exceptions import ClientError

from components.backup.backup import HOME, SECRETS, backup_params
from components.cloud.aws.bucket import objects_policy
from components.cloud.aws.database import NAME
from components.config.settings import Backup
from rehearsal.region.object_storage import Account, Address, ObjectStorage, Statement
from rehearsal.region.region import Region
from rehearsal.system.shell import ToolError
from tests.scripts import params
from tests.scripts.conftest import PASSWORD
from tests.scripts.node import Node
from tests.scripts.test_wordpress import sql

ADDRESS = Address("https://s3.us-east-1.amazonaws.com", "us-east-1", hosted="s3.dualstack.us-east-1.amazonaws.com")
ACCOUNT = Account("AKIDBACKUP", "secret $of 'the' key")
REPOSITORY_PASSWORD = "correct $horse 'battery' \"staple\""
BACKUP = Backup.model_validate({"keep": {"daily": 2}})
BUCKET = "site-backups"
UPLOADS = f"{params.ROOT}/wp-content/uploads"
SUMS = f"cd {params.ROOT} && find . -path ./.ha-wordpress -prune -o -type f -print0 | sort -z | xargs -0 sha256sum"
LINKS = f"cd {params.ROOT} && find . -path ./.ha-wordpress -prune -o -printf '%p %y %m %U %G %l\\n' | sort"


def step(
    host: str, root: str = params.ROOT, bucket: str = BUCKET, **changes: str
) -> tuple[dict[str, str], dict[str, str]]:
    """Parameters and secrets of backup.sh. `host`: the database's; `changes`: other secrets."""
    given = {
        **backup_params(root, BACKUP),
        "RESTIC_REPOSITORY": f"s3:{ADDRESS.url}/{bucket}",
        "AWS_ACCESS_KEY_ID": ACCOUNT.access_key_id,
        "ACCESS_DELAY": "0",
        "DB_HOST": f"{host}:3306",
        "DB_NAME": NAME,
        "DB_USER": params.SITE_USER,
    }
    hidden = {
        "RESTIC_PASSWORD": REPOSITORY_PASSWORD,
        "AWS_SECRET_ACCESS_KEY": ACCOUNT.secret_access_key,
        "DB_PASSWORD": params.SITE_PASSWORD,
    }
    return given, hidden | changes


@pytest.fixture(scope="module")
def storage(region: Region) -> ObjectStorage:
    """The object storage, with an empty bucket."""
    storage = region.object_storage(ADDRESS)
    storage.new_bucket(BUCKET)
    storage.permit(BUCKET, rights(ACCOUNT, BUCKET))
    return storage


def rights(account: Account, bucket: str) -> list[Statement]:
    """Those that the program gives the nodes of a stack on Amazon."""
    statements = json.loads(objects_policy(f"arn:aws:s3:::{bucket}"))["Statement"]
    return [Statement(account, each["Action"], each["Resource"]) for each in statements]


@pytest.fixture(scope="module")
def sites(mounted: Mapping[str, Node], databases: Mapping[str, str], storage: ObjectStorage) -> Mapping[str, Node]:
    """Three nodes with a site and its backups."""
    first, *others = mounted.values()
    for node in mounted.values():
        node.step("web/web.sh", params.web())
    first.step("wordpress/code.sh", params.code())
    first.step("wordpress/site.sh", params.site(databases[NAME]), params.site_secrets(PASSWORD))
    assert not storage.objects(BUCKET)
    for node in (first, *others):
        node.step("backup/backup.sh", *step(databases[NAME]))
        # a test decides when a backup is made
        node.run("systemctl", "stop", "site-backup.timer")
    return mounted


def back_up(node: Node) -> None:
    node.run("systemctl", "start", "site-backup")


def log(node: Node) -> str:
    node.run("journalctl", "--sync")
    return node.run("journalctl", "--unit=site-backup", "--lines=20", "--output=cat", "--quiet")


def restic(node: Node, *words: str) -> str:
    command = f'set -a; eval "$(cat {SECRETS})"; exec restic --no-cache "$@"'
    return node.run("bash", "-c", command, "bash", *words)


def write(node: Node, name: str, size: int = 200_000) -> None:
    node.plant(f"mkdir -p {UPLOADS}/2026", f"head -c {size} /dev/urandom >{UPLOADS}/2026/{name}")


def test_a_second_step_changes_nothing(sites: Mapping[str, Node], databases: Mapping[str, str]) -> None:
    node = sites["gfs1"]
    node.run("systemctl", "start", "site-backup.timer")
    node.again("backup/backup.sh", *step(databases[NAME]))
    assert node.run("systemctl", "is-enabled", "site-backup.timer") == "enabled\n"
    assert node.run("stat", "--format=%U %a", SECRETS) == "root 600\n"
    node.run("systemctl", "stop", "site-backup.timer")


def test_all_that_an_attacker_deletes_comes_back(
    sites: Mapping[str, Node], databases: Mapping[str, str], storage: ObjectStorage
) -> None:
    first, other = sites["gfs1"], sites["gfs2"]
    write(first, "photo.jpg")
    first.plant(f"ln -sf /etc/shadow {UPLOADS}/link", f"chmod 640 {UPLOADS}/2026/photo.jpg")
    host = databases[NAME]
    sql(first, host, "UPDATE wp_posts SET post_title = 'It''s ü 100% \"safe\"' WHERE ID = 1")
    sql(first, host, "CREATE OR REPLACE VIEW titles AS SELECT post_title FROM wp_posts")
    before, links = first.run("sh", "-c", SUMS), first.run("sh", "-c", LINKS)
    posts = sql(first, host, "SELECT * FROM wp_posts")
    back_up(first)
    assert storage.objects(BUCKET)
    first.plant(
        f"cd {params.ROOT} && rm -rf wp-content wp-config.php index.php .ha-wordpress",
        f"echo '<?php' >{params.ROOT}/shell.php",
    )
    tables = sql(first, host, "SHOW TABLES").split()
    sql(first, host, "SET FOREIGN_KEY_CHECKS = 0; DROP VIEW titles; DROP TABLE "
        + ", ".join(table for table in tables if table != "titles") + "; CREATE TABLE `at``tack` (x INT)")  # fmt: skip
    first.run("sh", "-c", "rm -rf /var/lib/ha-wordpress/backup/*")
    begun = time.monotonic()
    other.run("site-restore", "latest")
    print(f"{len(before.splitlines())} files and {len(tables)} tables: {time.monotonic() - begun:.1f} s")  # noqa: T201
    assert first.run("sh", "-c", SUMS) == before
    assert first.run("sh", "-c", LINKS) == links
    assert sorted(sql(first, host, "SHOW TABLES").split()) == sorted(tables)
    assert sql(first, host, "SELECT * FROM wp_posts") == posts
    assert first.run("sh", "-c", "ls /var/lib/ha-wordpress/backup") == ""
    assert "code" in first.run("ls", f"{params.ROOT}/.ha-wordpress").split()


def test_a_path_and_a_table_come_back_alone(sites: Mapping[str, Node], databases: Mapping[str, str]) -> None:
    node, host = sites["gfs1"], databases[NAME]
    write(node, "one.jpg")
    digest = node.run("sha256sum", f"{UPLOADS}/2026/one.jpg")
    sql(node, host, "INSERT INTO wp_options (option_name, option_value) VALUES ('mark', '1')")
    back_up(node)
    moment = node.run("date", "--utc", "+%FT%TZ").strip()
    write(node, "two.jpg")
    node.plant(f"rm {UPLOADS}/2026/one.jpg")
    sql(node, host, "DELETE FROM wp_options WHERE option_name = 'mark'; UPDATE wp_posts SET post_title = 'newer'")
    back_up(node)
    node.run("site-restore", moment, "path", "wp-content/uploads/2026/one.jpg")
    assert node.run("sha256sum", f"{UPLOADS}/2026/one.jpg") == digest
    assert node.run("ls", f"{UPLOADS}/2026/two.jpg")
    node.run("site-restore", moment, "table", "wp_options")
    assert sql(node, host, "SELECT option_value FROM wp_options WHERE option_name = 'mark'") == "1"
    assert "newer" in sql(node, host, "SELECT post_title FROM wp_posts")
    for words, error in {
        (moment, "path", "no/such"): "has no no/such",
        (moment, "table", "no_such"): "has no table no_such",
        ("2020-01-01",): "There is no backup from before 2020-01-01",
        ("soon-ish",): "is not a time",
        ("latest", "tables"): "site-restore MOMENT path PATH",
    }.items():
        with pytest.raises(ToolError, match=error):
            node.run("site-restore", *words)


def test_nodes_that_start_together_make_one_backup(sites: Mapping[str, Node]) -> None:
    before = restic(sites["gfs1"], "snapshots", "--json").count('"short_id"')
    # large enough to be still at work when the last node starts
    write(sites["gfs1"], "large.bin", 30_000_000)
    for node in sites.values():
        node.run("systemctl", "start", "--no-block", "site-backup")
    for node in sites.values():
        node.eventually("sh", "-c", "! systemctl is-active site-backup | grep -q activating", within=90)
        node.run("sh", "-c", "! systemctl is-failed --quiet site-backup")
    logs = [log(node) for node in sites.values()]
    assert sum("Another node has backed up" in text for text in logs) == 2, logs
    assert restic(sites["gfs1"], "snapshots", "--json").count('"short_id"') == before + 1
    for node in sites.values():
        assert time.time() - float(node.run("stat", "--format=%Y", f"{HOME}/made")) < 120


def test_no_link_leads_a_backup_or_a_restoration_out_of_the_site(
    sites: Mapping[str, Node], databases: Mapping[str, str]
) -> None:
    node = sites["gfs1"]
    write(node, "photo.jpg")
    back_up(node)
    moved = f"{UPLOADS}/2026"
    node.plant(f"rm -rf {moved}", f"ln -s /srv/outside {moved}", f"ln -sf /etc {params.ROOT}/.ha-wordpress/up")
    protected = node.protected()
    with pytest.raises(ToolError, match="is a link"):
        node.run("site-restore", "latest", "path", "wp-content/uploads/2026/photo.jpg")
    assert node.protected() == protected
    back_up(node)
    restored = restic(node, "ls", "latest", f"{params.ROOT}/.ha-wordpress/up")
    assert "shadow" not in restored
    node.run("site-restore", "latest")
    assert node.protected() == protected
    node.plant(f"rm {params.ROOT}/.ha-wordpress/up")


@pytest.mark.parametrize("secret", ["RESTIC_PASSWORD", "AWS_SECRET_ACCESS_KEY"])
def test_a_wrong_secret_is_refused(sites: Mapping[str, Node], databases: Mapping[str, str], secret: str) -> None:
    node = sites["gfs3"]
    output = node.refuses("backup/backup.sh", *step(databases[NAME], **{secret: secrets.token_hex(8)}))
    assert f"The repository of the backups at s3:{ADDRESS.url}/{BUCKET} cannot be opened" in output
    assert not [word for word in (REPOSITORY_PASSWORD, ACCOUNT.secret_access_key) if word in output]
    node.step("backup/backup.sh", *step(databases[NAME]))


def test_a_backup_that_fails_names_its_reason(sites: Mapping[str, Node], storage: ObjectStorage) -> None:
    node = sites["gfs1"]
    (config,) = [path for path in storage.objects(BUCKET) if path.name == "config"]
    aside = config.with_name("aside")
    config.rename(aside)
    try:
        with pytest.raises(ToolError):
            back_up(node)
        assert node.run("sh", "-c", "systemctl is-failed site-backup") == "failed\n"
        assert "repository does not exist" in log(node)
    finally:
        Path(aside).rename(config)
    back_up(node)


def test_a_role_backs_up_without_a_key_and_destroys_no_backup(
    sites: Mapping[str, Node], databases: Mapping[str, str], region: Region, storage: ObjectStorage
) -> None:
    node, bucket, account = sites["gfs2"], "own-backups", Account.new("AKIA")
    (machine,) = [key for key, machine in region.machines.items() if machine.name == "gfs2"]
    storage.new_bucket(bucket)
    storage.set_versioning(bucket, "Enabled")
    storage.permit(bucket, rights(account, bucket))
    given, hidden = step(databases[NAME], bucket=bucket)
    del given["AWS_ACCESS_KEY_ID"], hidden["AWS_SECRET_ACCESS_KEY"]
    assert "no credentials found" in node.refuses("backup/backup.sh", given, hidden)
    region.roles["backups"] = account
    # as a new permission, which takes effect when the step has begun
    timer = threading.Timer(5, region.set_role, (machine, "backups"))
    timer.start()
    node.step("backup/backup.sh", {**given, "ACCESS_DELAY": "60"}, hidden)
    timer.join()
    node.again("backup/backup.sh", given, hidden)
    assert "AWS_" not in node.run("cat", SECRETS)
    write(node, "kept.jpg")
    digest = node.run("sha256sum", f"{UPLOADS}/2026/kept.jpg")
    back_up(node)

    attacker = storage.client_of(account)
    for object_ in storage.client.list_objects_v2(Bucket=bucket)["Contents"]:
        attacker.delete_object(Bucket=bucket, Key=object_["Key"])
    versions = storage.client.list_object_versions(Bucket=bucket)
    for version in versions["Versions"]:
        with pytest.raises(ClientError, match="AccessDenied"):
            attacker.delete_object(Bucket=bucket, Key=version["Key"], VersionId=version["VersionId"])
    with pytest.raises(ClientError, match="AccessDenied"):
        attacker.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Suspended"})
    with pytest.raises(ClientError, match="AccessDenied"):
        attacker.list_objects_v2(Bucket=BUCKET)
    node.plant(f"rm {UPLOADS}/2026/kept.jpg")
    with pytest.raises(ToolError):
        node.run("site-restore", "latest")
    # as in docs/operations.md
    for marker in [each for each in versions["DeleteMarkers"] if not each["Key"].startswith("locks/")]:
        storage.client.delete_object(Bucket=bucket, Key=marker["Key"], VersionId=marker["VersionId"])
    node.run("site-restore", "latest")
    assert node.run("sha256sum", f"{UPLOADS}/2026/kept.jpg") == digest
