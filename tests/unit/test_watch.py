"""The check of the nodes: its steps in the graph, and what becomes of the settings in its files."""

from __future__ import annotations

import base64
import shlex
from typing import Any

import pytest

from components.config.settings import Smtp
from components.roll.nodes import Duties
from components.watch.watch import PORT, Alarms, watch_params
from tests.unit.graph import Graph, Secret, build, committed, private_address
from tests.unit.test_alarms import alarmed
from tests.unit.test_safety import visible_texts

NODES = ("gfs1", "gfs2", "gfs3")
SMTP: dict[str, Any] = {"host": "smtp.rehearsal.test", "user": "site"}


@pytest.fixture(scope="module")
def graph() -> Graph:
    """The stack with alarms."""
    return alarmed("aws-wordpress")


def user_data(graph: Graph, node: str) -> str:
    return base64.b64decode(graph[f"ec2.Instance {node}"].inputs["userDataBase64"].value).decode()


def test_a_stack_without_alarms_has_none_of_it(aws_wordpress: Graph) -> None:
    assert not [key for key in aws_wordpress.resources if "watch" in key]
    shown = [text for each in aws_wordpress.resources.values() for text in visible_texts(each.inputs)]
    assert not [text for text in shown if "msmtp" in text or str(PORT) in text]
    assert "msmtp" not in user_data(aws_wordpress, "gfs1")


@pytest.mark.parametrize("node", NODES)
def test_every_node_checks_itself_after_the_site_is_installed(graph: Graph, node: str) -> None:
    step = graph[f"remote.Command {node}-watch"]
    assert "remote.Command gfs1-wordpress-site" in graph.after(step.key)
    assert f"LISTEN={private_address(node)}:{PORT} " in step.inputs["create"]
    assert f"host=node-{node}\n" in step.inputs["create"]
    assert isinstance(step.inputs["stdin"], Secret)
    assert step.inputs["stdin"].value == "SMTP_PASSWORD=SECRET-smtp\n"
    assert not [text for each in graph.resources.values() for text in visible_texts(each.inputs) if "SECRET-" in text]
    assert "prometheus-node-exporter" in user_data(graph, node)


@pytest.mark.parametrize(("stack", "node"), [("php-sessions", "php2"), ("existing-apache", "server02")])
def test_a_site_without_wordpress_has_alarms_with_a_mail_server_of_their_own(stack: str, node: str) -> None:
    alarms = {"mail": "you@rehearsal.test", "smtp": SMTP | {"from": "site@rehearsal.test"}}
    step = build(stack, alarms=alarms, smtp_password="SECRET-smtp")[f"remote.Command {node}-watch"]
    assert "from=site@rehearsal.test\n" in step.inputs["create"]
    assert "host smtp.rehearsal.test\n" in step.inputs["create"]
    assert step.inputs["stdin"].value == "SMTP_PASSWORD=SECRET-smtp\n"


def test_the_figures_are_open_between_the_nodes_only(graph: Graph) -> None:
    rules = [
        rule.inputs
        for rule in graph.of_type("vpc.SecurityGroupIngressRule")
        if rule.inputs.get("fromPort") == PORT or rule.inputs.get("toPort") == PORT
    ]
    assert rules
    assert not [rule for rule in rules if "cidrIpv4" in rule or "cidrIpv6" in rule]
    for node in NODES:
        assert (
            f'tcp dport {PORT}-{PORT} drop comment "figures"'
            in graph[f"remote.Command {node}-firewall"].inputs["create"]
        )


@pytest.mark.parametrize(("port", "starttls"), [(587, "on"), (465, "off"), (25, "on")])
def test_every_port_has_tls(port: int, starttls: str) -> None:
    smtp = Smtp.model_validate(SMTP | {"port": port})
    duties = Duties(urls=("http://127.0.0.1:80/healthz",), volume="wp", access_log="")
    alarms = Alarms("site", "o'brien@rehearsal.test", "you@rehearsal.test", smtp)
    params = watch_params("node-gfs1", duties, "/bricks/one", alarms)
    assert f"tls on\ntls_starttls {starttls}\n" in params["MSMTP"]
    assert f"from={shlex.quote(alarms.sender)}\n" in params["PROGRAM"]


@pytest.mark.parametrize(
    ("smtp", "sender"),
    [(SMTP, "wordpress@rehearsal.test"), (SMTP | {"from": "site@rehearsal.test"}, "site@rehearsal.test")],
)
def test_alarms_have_wordpress_s_sender(smtp: dict[str, Any], sender: str) -> None:
    site = committed("aws-wordpress")["ha-wordpress:site"]
    graph = build(site=site | {"smtp": smtp}, smtp_password="SECRET-smtp", alarms={"mail": "you@rehearsal.test"})
    command = graph["remote.Command gfs1-watch"].inputs["create"]
    assert f"from {sender}\n" in command
