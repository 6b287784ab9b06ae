"""The settings that the engine of a rehearsal reads."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from rehearsal.deploy.deployment import write_settings
from rehearsal.deploy.stacks import acme_directory, certified_name, own_settings, stack_settings
from rehearsal.project import REPOSITORY
from rehearsal.session.runner import operator_values


def test_a_stack_without_secrets_and_placeholders_is_rehearsed_unchanged(tmp_path: Path) -> None:
    source = REPOSITORY / "stacks" / "Pulumi.existing-apache.yaml"
    write_settings(source, tmp_path)
    assert (tmp_path / source.name).read_bytes() == source.read_bytes()


def test_the_operators_own_values_replace_placeholders_and_are_named(tmp_path: Path) -> None:
    write_settings(REPOSITORY / "stacks" / "Pulumi.aws-wordpress.yaml", tmp_path)
    written = yaml.safe_load((tmp_path / "Pulumi.aws-wordpress.yaml").read_text())["config"]
    assert written == stack_settings("aws-wordpress")
    assert written["ha-wordpress:network"] == {"cidr": "10.20.0.0/16", "ssh_from": ["198.18.0.0/24"]}
    assert written["ha-wordpress:site"]["admin_email"] == "editor@rehearsal.test"
    assert {"network.ssh_from", "site.admin_email"} <= {*own_settings("aws-wordpress")}
    assert own_settings("existing-apache") == []
    assert operator_values("existing-apache") == []
    [line] = operator_values("aws-wordpress")
    assert line.startswith("the operator's own settings: network.ssh_from, ")


def test_secrets_become_placeholders_that_need_no_passphrase(tmp_path: Path) -> None:
    source = tmp_path / "Pulumi.live.yaml"
    config = {"a:token": {"secure": "v1:one"}, "a:list": [{"b": {"secure": "v1:two"}}], "a:plain": "text"}
    source.write_text(yaml.safe_dump({"encryptionsalt": "v1:salt", "config": config}))
    (tmp_path / "project").mkdir()
    write_settings(source, tmp_path / "project")
    written = yaml.safe_load((tmp_path / "project" / source.name).read_text())
    token, other = written["config"]["a:token"], written["config"]["a:list"][0]["b"]
    assert written == {"config": {"a:token": token, "a:list": [{"b": other}], "a:plain": "text"}}
    assert len({token, other}) == 2
    assert all(value.startswith("secret-") for value in (token, other))


OWN_BALANCERS = {"topology": "balancers"}


@pytest.mark.parametrize(
    ("sections", "name"),
    [
        (OWN_BALANCERS | {"network": {"virtual_ip": "192.0.2.10"}}, None),
        (OWN_BALANCERS | {"tls": {"domain": "a.example"}, "network": {"virtual_ip": "192.0.2.10"}}, "a.example"),
        (OWN_BALANCERS | {"tls": {"certificate": "x"}, "site": {"domain": "b.example"}}, "b.example"),
        (OWN_BALANCERS | {"tls": {"certificate": "x"}, "network": {"virtual_ip": "192.0.2.10"}}, "192.0.2.10"),
        ({"nodes": {"lb1": {"role": "balancer"}}, "tls": {"domain": "a.example"}}, "a.example"),
        ({"nodes": {"web1": {"zone": "us-east-1a"}}, "tls": {"domain": "a.example"}}, None),
        (OWN_BALANCERS | {"tls": {"domain": "a.example", "acme": {"email": "x@a.example"}}}, None),
    ],
)
def test_the_certificate_is_for_the_name_that_visitors_use(sections: dict[str, Any], name: str | None) -> None:
    assert certified_name({f"ha-wordpress:{key}": value for key, value in sections.items()}) == name


@pytest.mark.parametrize(
    ("tls", "directory"),
    [
        (None, None),
        ({"domain": "a.example"}, None),
        ({"acme": {"email": "x@a.example"}}, "https://acme-v02.api.letsencrypt.org/directory"),
        ({"acme": {"email": "x@a.example", "directory": "https://ca.example/dir"}}, "https://ca.example/dir"),
    ],
)
def test_the_authority_that_balancers_ask(tls: dict[str, Any] | None, directory: str | None) -> None:
    assert acme_directory({"ha-wordpress:tls": tls} if tls else {}) == directory
