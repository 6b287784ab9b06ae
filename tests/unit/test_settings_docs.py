"""The files that `make docs` writes: docs/settings.md, and the JSON schema of the stack files."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft7Validator

from components.config.loader import CLOUDS
from tests.unit.graph import ROOT
from tools.settings_docs import PAGE, SCHEMA, page, schema, sections

STACKS = sorted((ROOT / "stacks").glob("Pulumi.*.yaml"))
VALIDATOR = Draft7Validator(json.loads(SCHEMA.read_text()))


def settings_of(stack: str) -> dict[str, Any]:
    """The content of a committed stack file."""
    content: dict[str, Any] = yaml.safe_load((ROOT / "stacks" / f"Pulumi.{stack}.yaml").read_text())
    return content


def errors(content: object) -> Iterator[str]:
    """Each error as the path to the value, and the keyword of the schema that refuses it."""
    for error in VALIDATOR.iter_errors(content):
        yield f"{'/'.join(map(str, error.absolute_path))}: {error.validator}"


def test_docs_settings_md_is_up_to_date() -> None:
    assert PAGE.read_text() == page(), "docs/settings.md differs from the models; run make docs"


def test_stacks_schema_json_is_up_to_date() -> None:
    assert SCHEMA.read_text() == schema(), "stacks/schema.json differs from the models; run make docs"


def test_every_key_has_a_description() -> None:
    for name, section in sections().items():
        for key, value in section["properties"].items():
            assert value.get("description") or "$ref" in value, f"{name}.{key} has no docstring"


@pytest.mark.parametrize("cloud", CLOUDS)
def test_the_page_has_a_section_for_every_cloud(cloud: str) -> None:
    assert f"(`ha-wordpress:cloud: {cloud}`)\n" in PAGE.read_text()


def test_the_page_has_the_unit_and_default_of_a_key() -> None:
    assert "| `disk_gb` | whole number, 1 to 16384 | GB | `20` | Size of each node's data disk." in PAGE.read_text()


def test_the_schema_is_valid() -> None:
    Draft7Validator.check_schema(VALIDATOR.schema)


@pytest.mark.parametrize("stack", STACKS, ids=lambda path: path.stem)
def test_every_stack_file_matches_the_schema_and_links_it(stack: Path) -> None:
    first, *_ = stack.read_text().splitlines()
    assert first == "# yaml-language-server: $schema=schema.json"
    assert not list(errors(yaml.safe_load(stack.read_text())))


@pytest.mark.parametrize(
    ("stack", "key", "value", "error"),
    [
        ("aws-wordpress", "ha-wordpress:clod", "aws", "config: additionalProperties"),
        ("aws-wordpress", "ha-wordpress:cloud", "azure", "config/ha-wordpress:cloud: enum"),
        ("aws-wordpress", "ha-wordpress:protect_data", "perhaps", "config/ha-wordpress:protect_data: type"),
        ("aws-wordpress", "ha-wordpress:region", "nyc3", "config: additionalProperties"),
        ("aws-wordpress", "aws:region", "Virginia", "config/aws:region: pattern"),
        ("aws-wordpress", "ha-wordpress:gluster", {"replicas": 3}, "config/ha-wordpress:gluster: additionalProperties"),
        ("aws-wordpress", "ha-wordpress:gluster", {"disk_gb": "20"}, "config/ha-wordpress:gluster/disk_gb: type"),
        ("aws-wordpress", "ha-wordpress:gluster", {"disk_gb": 0}, "config/ha-wordpress:gluster/disk_gb: minimum"),
        ("aws-wordpress", "ha-wordpress:gluster", {"ports": 49152}, "config/ha-wordpress:gluster/ports: type"),
        ("aws-wordpress", "ha-wordpress:database", {"version": 8.4}, "config/ha-wordpress:database/version: anyOf"),
        ("aws-wordpress", "ha-wordpress:network", {}, "config/ha-wordpress:network: required"),
        ("aws-wordpress", "ha-wordpress:nodes", {"a": {}}, "config/ha-wordpress:nodes/a: required"),
        (
            "aws-wordpress",
            "ha-wordpress:nodes",
            {"GFS1": {"zone": "us-east-1b"}},
            "config/ha-wordpress:nodes: additionalProperties",
        ),
        (
            "digitalocean-wordpress",
            "ha-wordpress:nodes",
            {"gfs1": {"zone": "nyc3"}},
            "config/ha-wordpress:nodes/gfs1: additionalProperties",
        ),
        ("digitalocean-wordpress", "ha-wordpress:balancer_token", "t", "config/ha-wordpress:balancer_token: type"),
        ("existing-apache", "ha-wordpress:database", {}, "config: additionalProperties"),
    ],
)
def test_the_schema_refuses_unknown_keys_and_wrong_values(stack: str, key: str, value: object, error: str) -> None:
    content = settings_of(stack)
    content["config"][key] = value
    assert list(errors(content)) == [error]


def test_the_schema_accepts_keys_of_pulumi_and_of_providers() -> None:
    content = settings_of("existing-apache") | {"encryptionsalt": "v1:salt", "secretsprovider": "passphrase"}
    content["config"] |= {
        "ha-wordpress:ssh_private_key": {"secure": "v1:encrypted"},
        "pulumi:disable-default-providers": ["aws"],
    }
    assert not list(errors(content))


def test_the_schema_refuses_an_unknown_key_next_to_config() -> None:
    assert list(errors(settings_of("existing-apache") | {"settings": {}})) == [": additionalProperties"]
