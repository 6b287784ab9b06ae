"""The bucket that a stack makes for its backups, and the access of its nodes to it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from rehearsal.deploy.stacks import OWN_VARIABLES
from tests.unit.graph import PROJECT, Graph, Secret, build, committed, run, text
from tests.unit.test_preflight import lines
from tests.unit.test_safety import visible_texts
from tests.unit.test_settings import BACKUP, OWN_BUCKET

DIGITALOCEAN = "digitalocean-wordpress"
OF_THE_BUCKET = [
    "s3.Bucket backups",
    "s3.BucketLifecycleConfiguration backups",
    "s3.BucketPublicAccessBlock backups",
    "s3.BucketVersioning backups",
]


@pytest.fixture(scope="module")
def aws() -> Graph:
    return build(**OWN_BUCKET)


@pytest.fixture(scope="module")
def digitalocean() -> Graph:
    with pytest.MonkeyPatch.context() as patch:
        for name, value in OWN_VARIABLES.items():
            patch.setenv(name, value)
        return build(DIGITALOCEAN, **OWN_BUCKET)


def step(graph: Graph, node: str) -> tuple[str, str]:
    """A node's step that sets backups up: its text and its secrets."""
    inputs = graph[f"remote.Command {node}-backup"].inputs
    assert isinstance(inputs["stdin"], Secret)
    return inputs["create"], inputs["stdin"].value


def test_a_stack_with_a_named_bucket_makes_none() -> None:
    graph = build(**BACKUP)
    assert not [key for key in graph.resources if key.startswith(("s3.", "iam."))]
    assert not [each.name for each in graph.of_type("ec2.Instance") if each.inputs.get("iamInstanceProfile")]


def test_amazons_bucket_is_private_and_keeps_what_is_deleted(aws: Graph) -> None:
    _, lifecycle, block, versioning = (aws[key].inputs for key in OF_THE_BUCKET)
    for inputs in (lifecycle, block, versioning):
        assert inputs.pop("bucket") == "backups-1a2b3c4"
    assert versioning == {"versioningConfiguration": {"status": "Enabled"}}
    assert block == dict.fromkeys(
        ("blockPublicAcls", "blockPublicPolicy", "ignorePublicAcls", "restrictPublicBuckets"), True
    )
    (rule,) = lifecycle["rules"]
    assert (rule["status"], rule["filter"]) == ("Enabled", {"prefix": ""})
    assert rule["noncurrentVersionExpiration"] == {"noncurrentDays": 30}
    assert "days" not in rule["expiration"]
    assert OF_THE_BUCKET[3] in aws.after(OF_THE_BUCKET[1])


@pytest.mark.parametrize("key", OF_THE_BUCKET)
def test_amazons_bucket_and_its_settings_are_protected_and_outlive_the_stack(aws: Graph, key: str) -> None:
    assert (aws[key].protect, aws[key].retain_on_delete) == (True, True)
    assert not aws[key].inputs.get("forceDestroy")


def test_without_protection_the_bucket_outlives_the_stack_all_the_same() -> None:
    graph = build(**OWN_BUCKET, protect_data=False)
    assert [(graph[key].protect, graph[key].retain_on_delete) for key in OF_THE_BUCKET] == [(False, True)] * 4


def test_amazons_nodes_may_list_read_write_and_delete_objects_of_that_bucket_only(aws: Graph) -> None:
    statements = json.loads(aws["iam.RolePolicy backups"].inputs["policy"])["Statement"]
    assert {(action, each["Resource"]) for each in statements for action in each["Action"]} == {
        ("s3:ListBucket", "arn:aws:s3:::backups-1a2b3c4"),
        ("s3:GetObject", "arn:aws:s3:::backups-1a2b3c4/*"),
        ("s3:PutObject", "arn:aws:s3:::backups-1a2b3c4/*"),
        ("s3:DeleteObject", "arn:aws:s3:::backups-1a2b3c4/*"),
    }
    assert {each["Effect"] for each in statements} == {"Allow"}
    assert {each.inputs["iamInstanceProfile"] for each in aws.of_type("ec2.Instance")} == {"backups"}
    assert "iam.RolePolicy backups" in aws.after("ec2.Instance gfs1")


def test_amazons_nodes_have_no_key_of_the_bucket(aws: Graph) -> None:
    for node in ("gfs1", "gfs2", "gfs3"):
        text, secrets = step(aws, node)
        assert "RESTIC_REPOSITORY=s3:https://s3.us-east-1.amazonaws.com/backups-1a2b3c4 " in text
        assert "ACCESS_DELAY=120 " in text
        assert "AWS_ACCESS_KEY_ID=" not in text
        assert "AWS_SECRET_ACCESS_KEY=" not in secrets
    assert {OF_THE_BUCKET[2], OF_THE_BUCKET[3], "iam.RolePolicy backups"} <= aws.after("remote.Command gfs1-backup")
    assert aws.outputs["backups"] == "https://s3.us-east-1.amazonaws.com/backups-1a2b3c4"


def test_balancers_and_storage_nodes_get_no_role_of_the_bucket() -> None:
    zones = dict(zip(("gfs1", "gfs2", "gfs3", "app1", "app2"), "abcab", strict=True))
    nodes: dict[str, dict[str, Any]] = {
        name: {"zone": f"us-east-1{letter}", "role": "storage" if name.startswith("gfs") else "web"}
        for name, letter in zones.items()
    }
    graph = build(**OWN_BUCKET, topology="separate", nodes=nodes)
    profiles = {each.name: each.inputs.get("iamInstanceProfile") for each in graph.of_type("ec2.Instance")}
    assert profiles == {"gfs1": None, "gfs2": None, "gfs3": None, "app1": "backups", "app2": "backups"}


def test_digitaloceans_bucket_is_private_protected_and_keeps_what_is_deleted(digitalocean: Graph) -> None:
    bucket = digitalocean["digitalocean.SpacesBucket backups"]
    assert (bucket.protect, bucket.retain_on_delete) == (True, True)
    assert not bucket.inputs.get("forceDestroy")
    assert (bucket.inputs["region"], bucket.inputs["acl"]) == ("nyc3", "private")
    assert bucket.inputs["versioning"] == {"enabled": True}
    (rule,) = bucket.inputs["lifecycleRules"]
    assert rule["enabled"]
    assert rule["noncurrentVersionExpiration"] == {"days": 30}
    assert "days" not in rule["expiration"]


def test_digitaloceans_key_is_secret_and_for_that_bucket_only(digitalocean: Graph) -> None:
    key = digitalocean["digitalocean.SpacesKey backups"]
    assert key.inputs["grants"] == [{"bucket": "backups-1a2b3c4", "permission": "readwrite"}]
    for node in ("app1", "app2"):
        text, secrets = step(digitalocean, node)
        assert "RESTIC_REPOSITORY=s3:https://nyc3.digitaloceanspaces.com/backups-1a2b3c4 " in text
        assert "AWS_ACCESS_KEY_ID=key-of-backups " in text
        assert "AWS_SECRET_ACCESS_KEY=SECRET-key-of-backups" in secrets
    shown = [text for each in digitalocean.resources.values() for text in visible_texts(each.inputs)]
    assert not [text for text in shown if "SECRET-key-of-backups" in text]


def test_digitalocean_makes_no_bucket_without_a_key_of_spaces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SPACES_ACCESS_KEY_ID", raising=False)
    monkeypatch.setenv("SPACES_SECRET_ACCESS_KEY", "SECRET")
    (line,) = lines(DIGITALOCEAN, **OWN_BUCKET)
    assert line.startswith("backup: SPACES_ACCESS_KEY_ID is not in the environment, but DigitalOcean makes a bucket")


def test_the_key_of_spaces_may_be_in_the_providers_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in OWN_VARIABLES:
        monkeypatch.delenv(name, raising=False)
    config = committed(DIGITALOCEAN) | {f"{PROJECT}:{name}": value for name, value in OWN_BUCKET.items()}
    key = {"digitalocean:spacesAccessId": "DO00OPERATOR", "digitalocean:spacesSecretKey": "SECRET-of-the-operator"}
    graph = run({name: text(value) for name, value in (config | key).items()}, DIGITALOCEAN)
    assert [*graph.of_type("digitalocean.SpacesBucket")]
