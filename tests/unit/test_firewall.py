"""Open ports of a site: on Amazon, and in the packet filter of each machine."""

from __future__ import annotations

import re
from typing import NamedTuple

import pytest

from tests.unit.graph import Graph, build


class Rule(NamedTuple):
    """A security group rule. `peer`: a security group's id or an address range."""

    group: str
    first: int
    last: int
    peer: str


def rules(graph: Graph, type_: str) -> set[Rule]:
    return {
        Rule(
            rule.inputs["securityGroupId"],
            int(rule.inputs.get("fromPort", 0)),
            int(rule.inputs.get("toPort", 65535)),
            rule.inputs.get("cidrIpv4") or rule.inputs["referencedSecurityGroupId"],
        )
        for rule in graph.of_type(type_)
    }


def test_only_these_ports_are_open(aws_wordpress: Graph) -> None:
    assert rules(aws_wordpress, "vpc.SecurityGroupIngressRule") == {
        Rule("id-of-balancer", 80, 80, "0.0.0.0/0"),
        Rule("id-of-balancer", 443, 443, "0.0.0.0/0"),
        Rule("id-of-node", 22, 22, "198.18.0.0/24"),
        Rule("id-of-node", 80, 80, "id-of-balancer"),
        Rule("id-of-node", 80, 80, "id-of-node"),
        Rule("id-of-node", 5514, 5514, "id-of-node"),
        Rule("id-of-node", 8080, 8080, "id-of-node"),
        Rule("id-of-node", 24007, 24007, "id-of-node"),
        Rule("id-of-node", 49152, 49251, "id-of-node"),
        Rule("id-of-database", 3306, 3306, "id-of-node"),
    }


def test_ports_of_older_glusterfs_versions_stay_closed(aws_wordpress: Graph) -> None:
    for port in (111, 2049, 24008, 38465, 38466, 38467):
        assert not [
            rule for rule in rules(aws_wordpress, "vpc.SecurityGroupIngressRule") if rule.first <= port <= rule.last
        ]


def test_the_balancer_connects_to_nodes_only_and_the_database_to_nothing(aws_wordpress: Graph) -> None:
    assert rules(aws_wordpress, "vpc.SecurityGroupEgressRule") == {
        Rule("id-of-balancer", 80, 80, "id-of-node"),
        Rule("id-of-node", 0, 65535, "0.0.0.0/0"),
    }


def test_the_firewall_opens_the_ports_that_glusterd_uses() -> None:
    graph = build(gluster={"ports": "50000-50009"})
    assert Rule("id-of-node", 50000, 50009, "id-of-node") in rules(graph, "vpc.SecurityGroupIngressRule")
    assert "BASE_PORT=50000 MAX_PORT=50009" in graph["remote.Command gfs1-glusterd"].inputs["create"]


def test_each_ssh_network_has_its_own_rule() -> None:
    graph = build(network={"ssh_from": ["198.18.0.0/24", "198.18.1.7"]})
    assert {rule.peer for rule in rules(graph, "vpc.SecurityGroupIngressRule") if rule.first == 22} == {
        "198.18.0.0/24",
        "198.18.1.7/32",
    }


def test_the_database_has_no_public_address(aws_wordpress: Graph) -> None:
    assert aws_wordpress["rds.Instance database"].inputs["publiclyAccessible"] is False


def closed(graph: Graph, node: str) -> dict[str, str]:
    """The ports that a machine closes to strangers, by their purpose."""
    return {
        purpose: ports
        for ports, purpose in re.findall(r'tcp dport (\S+) drop comment "(.*)"', packet_filter(graph, node))
    }


def packet_filter(graph: Graph, node: str) -> str:
    text: str = graph[f"remote.Command {node}-firewall"].inputs["create"]
    return text


STORAGE = {"glusterd": "24007-24007", "bricks": "49152-49251"}
CACHE = {"cache": "8080-8080", "hits": "5514-5514"}
EDITS = {"edits": "80-80"}


@pytest.mark.parametrize(
    ("stack", "node", "ports"),
    [
        ("aws-wordpress", "gfs1", STORAGE | CACHE),
        ("digitalocean-wordpress", "app1", STORAGE | CACHE),
        ("digitalocean-wordpress", "gfs1", STORAGE | CACHE | EDITS),
        ("existing-apache", "server01", STORAGE),
        ("php-sessions", "lb1", STORAGE),
        ("php-sessions", "php2", STORAGE | {"web": "80-80"}),
    ],
)
def test_a_machine_closes_internal_ports_but_not_the_one_of_its_visitors(
    stack: str, node: str, ports: dict[str, str]
) -> None:
    assert closed(build(stack), node) == ports


def test_only_root_connects_to_storage_and_sends_hits_and_php_not_to_nginx(aws_wordpress: Graph) -> None:
    rejected = re.findall(r"(\S.*?)reject .* comment", packet_filter(aws_wordpress, "gfs1"))
    assert rejected == [
        "tcp dport 24007-24007 ",
        "tcp dport 49152-49251 ",
        "meta skuid 33 tcp dport 8080-8080 ",
        "tcp dport 5514-5514 ",
    ]


def test_a_balancer_takes_vrrp_from_the_others_only() -> None:
    graph = build("php-sessions")
    assert "meta l4proto 112 ip saddr { 10.40.0.12 } accept\n        meta l4proto 112 drop" in packet_filter(
        graph, "lb1"
    )
    assert "112" not in packet_filter(graph, "php1").split("RULES=")[1].split(" UNIT=")[0]
