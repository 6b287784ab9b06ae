"""Which doors are open, and to whom."""

from __future__ import annotations

from typing import NamedTuple

from tests.unit.graph import Graph, build


class PortCheck(NamedTuple):
    """What a rule lets through; `peer` is a security group's id or an address range."""

    group: str
    first: int
    last: int
    peer: str


def check_site_ports(graph: Graph, type_: str) -> set[PortCheck]:
    return {
        PortCheck(
            rule.inputs["securityGroupId"],
            int(rule.inputs.get("fromPort", 0)),
            int(rule.inputs.get("toPort", 65535)),
            rule.inputs.get("cidrIpv4") or rule.inputs["referencedSecurityGroupId"],
        )
        for rule in graph.of_type(type_)
    }


def test_only_these_doors_are_open(aws_wordpress: Graph) -> None:
    assert check_site_ports(aws_wordpress, "vpc.SecurityGroupIngressRule") == {
        PortCheck("id-of-balancer", 80, 80, "0.0.0.0/0"),
        PortCheck("id-of-balancer", 443, 443, "0.0.0.0/0"),
        PortCheck("id-of-node", 22, 22, "203.0.113.0/24"),
        PortCheck("id-of-node", 80, 80, "id-of-balancer"),
        PortCheck("id-of-node", 80, 80, "id-of-node"),
        PortCheck("id-of-node", 5514, 5514, "id-of-node"),
        PortCheck("id-of-node", 8080, 8080, "id-of-node"),
        PortCheck("id-of-node", 24007, 24007, "id-of-node"),
        PortCheck("id-of-node", 49152, 49251, "id-of-node"),
        PortCheck("id-of-database", 3306, 3306, "id-of-node"),
    }


def test_the_obsolete_ports_of_the_write_ups_stay_closed(aws_wordpress: Graph) -> None:
    for port in (111, 2049, 24008, 38465, 38466, 38467):
        assert not [
            check
            for check in check_site_ports(aws_wordpress, "vpc.SecurityGroupIngressRule")
            if check.first <= port <= check.last
        ]


def test_the_balancer_talks_to_nodes_only_and_the_database_to_nobody(aws_wordpress: Graph) -> None:
    assert check_site_ports(aws_wordpress, "vpc.SecurityGroupEgressRule") == {
        PortCheck("id-of-balancer", 80, 80, "id-of-node"),
        PortCheck("id-of-node", 0, 65535, "0.0.0.0/0"),
    }


def test_the_bricks_ports_are_the_same_in_the_firewall_and_on_the_node() -> None:
    graph = build(gluster={"ports": "50000-50009"})
    assert PortCheck("id-of-node", 50000, 50009, "id-of-node") in check_site_ports(
        graph, "vpc.SecurityGroupIngressRule"
    )
    assert "BASE_PORT=50000 MAX_PORT=50009" in graph["remote.Command gfs1-glusterd"].inputs["create"]


def test_each_network_that_may_log_in_has_a_rule_of_its_own() -> None:
    graph = build(network={"ssh_from": ["203.0.113.0/24", "198.51.100.7"]})
    assert {check.peer for check in check_site_ports(graph, "vpc.SecurityGroupIngressRule") if check.first == 22} == {
        "203.0.113.0/24",
        "198.51.100.7/32",
    }


def test_no_address_of_the_database_is_public(aws_wordpress: Graph) -> None:
    assert aws_wordpress["rds.Instance database"].inputs["publiclyAccessible"] is False
