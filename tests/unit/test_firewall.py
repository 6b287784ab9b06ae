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


PROXIES = ["198.18.100.0/24", "198.19.2.0/25", "2001:4860::/32"]
ONLY_PROXIES = {"trusted_proxies": PROXIES, "only_trusted_proxies": True}


def test_the_balancer_admits_visitors_from_trusted_proxies_only_if_the_settings_say_so() -> None:
    network = {"ssh_from": ["198.18.0.0/24"]}
    for settings, peers in (
        ({"trusted_proxies": PROXIES}, {"0.0.0.0/0"}),
        (ONLY_PROXIES, {"198.18.100.0/24", "198.19.2.0/25"}),
    ):
        graph = build(network=network | settings)
        admitted = {rule for rule in rules(graph, "vpc.SecurityGroupIngressRule") if rule.group == "id-of-balancer"}
        assert admitted == {Rule("id-of-balancer", port, port, peer) for port in (80, 443) for peer in peers}
        assert "80, 443" not in packet_filter(graph, "gfs1")


def test_own_balancers_admit_visitors_from_trusted_proxies_only_if_the_settings_say_so() -> None:
    network = {"private": "10.40.0.0/24", "virtual_ip": "192.0.2.10"}
    graph = build("php-sessions", network=network | ONLY_PROXIES)
    assert (
        "tcp dport { 80, 443 } ip saddr { 198.18.100.0/24, 198.19.2.0/25 } accept\n"
        '        tcp dport { 80, 443 } drop comment "visitors"'
    ) in packet_filter(graph, "lb1")
    assert "80, 443" not in packet_filter(graph, "php1")
    assert "80, 443" not in packet_filter(build("php-sessions"), "lb1")


def test_every_machine_believes_the_trusted_proxies_and_never_bans_them() -> None:
    graph = build(network={"ssh_from": ["198.18.0.0/24"], "trusted_proxies": PROXIES})
    for node in ("gfs1", "gfs2", "gfs3"):
        assert '    "198.18.100.0"/24;\n' in graph[f"remote.Command {node}-vcl"].inputs["create"]
        assert "    set_real_ip_from 2001:4860::/32;\n" in graph[f"remote.Command {node}-web"].inputs["create"]
        bans = graph[f"remote.Command {node}-fail2ban"].inputs["create"]
        assert f"198.18.0.0/24 {' '.join(PROXIES)}" in bans
    sessions = build("php-sessions", network={"private": "10.40.0.0/24", "virtual_ip": "192.0.2.10"} | ONLY_PROXIES)
    assert "    acl trusted_proxy src 198.19.2.0/25\n" in sessions["remote.Command lb2-haproxy"].inputs["create"]
    assert "    set_real_ip_from 198.19.2.0/25;\n" in sessions["remote.Command php2-web"].inputs["create"]


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
