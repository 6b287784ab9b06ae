"""Maintenance: its step on every node, and what each node asks of the others."""

from __future__ import annotations

from typing import Any

import pytest

from components.config.errors import SettingsError
from tests.unit.graph import Graph, build, private_address
from tests.unit.test_safety import visible_texts

AT = "Sun *-*-* 03:00:00 UTC"
MAINTENANCE: dict[str, Any] = {"maintenance": {"at": AT}}


@pytest.fixture(scope="module")
def aws() -> Graph:
    """A stack whose nodes hold and serve the files."""
    return build(**MAINTENANCE)


@pytest.fixture(scope="module")
def digitalocean() -> Graph:
    """A stack with storage nodes apart from its web nodes."""
    return build("digitalocean-wordpress", **MAINTENANCE)


def command(graph: Graph, node: str) -> str:
    text: str = graph[f"remote.Command {node}-maintenance"].inputs["create"]
    return text


def test_a_stack_without_maintenance_has_none_of_it(aws_wordpress: Graph) -> None:
    shown = [text for each in aws_wordpress.resources.values() for text in visible_texts(each.inputs)]
    assert not [text for text in shown if "site-maintenance" in text]


@pytest.mark.parametrize("node", ["gfs1", "gfs2", "gfs3"])
def test_every_node_asks_the_others_and_its_own_glusterd(aws: Graph, node: str) -> None:
    text = command(aws, node)
    assert f"OnCalendar={AT}\n" in text
    asked = {f"http://{private_address(other)}:80/healthz" for other in ("gfs1", "gfs2", "gfs3") if other != node}
    assert all(url in text for url in asked)
    assert f"http://{private_address(node)}:80" not in text
    assert "VOLUME=wp HEALED=yes" in text
    assert "LOG=/var/log/varnish/varnishncsa.log " in text
    assert "remote.Command gfs1-wordpress-site" in aws.after(f"remote.Command {node}-maintenance")


def test_storage_nodes_ask_glusterd_and_web_nodes_each_other(digitalocean: Graph) -> None:
    storage, web = command(digitalocean, "gfs1"), command(digitalocean, "app1")
    assert "VOLUME=ashleyrich_com HEALED=yes" in storage
    assert "VOLUME= HEALED=yes" in web
    assert "/healthz" not in storage.partition("SERVICE=")[0].rpartition("PROGRAM=")[2].replace("http://127", "")
    assert f"http://{private_address('app2')}:80/healthz" in web
    assert "servers=(node-gfs2 node-gfs3 node-gfs1)" in storage


def test_the_health_checks_are_open_between_web_nodes_that_have_no_other_reason() -> None:
    sessions: dict[str, Any] = {"web": "sessions", "site": {}, "balancer": {}}
    rules = [
        {
            rule.name
            for rule in build(**sessions, **more).of_type("vpc.SecurityGroupIngressRule")
            if rule.inputs.get("fromPort") == 80 and "cidrIpv4" not in rule.inputs
        }
        for more in ({}, MAINTENANCE)
    ]
    assert len(rules[1] - rules[0]) == 1, rules


def test_maintenance_of_existing_machines_is_refused() -> None:
    with pytest.raises(SettingsError, match="maintenance: applies to machines that the stack makes; omit it"):
        build("php-sessions", **MAINTENANCE)
