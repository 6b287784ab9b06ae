"""machine/ready.sh and machine/etc_hosts.sh."""

from __future__ import annotations

from collections.abc import Mapping

from tests.scripts import params
from tests.scripts.node import Node


def test_ready_waits_for_the_end_of_cloud_init(nodes: Mapping[str, Node]) -> None:
    node = nodes["gfs1"]
    assert "status: done" in node.run("cloud-init", "status")
    node.again("machine/ready.sh")


def test_ready_reports_the_error_of_cloud_init(spare: Node) -> None:
    assert "no-such-package" in spare.refuses("machine/ready.sh")


def test_hosts_names_every_node_at_its_private_address(nodes: Mapping[str, Node]) -> None:
    node = nodes["gfs2"]
    for name, other in nodes.items():
        assert node.run("getent", "ahostsv4", f"node-{name}").split()[0] == other.address
    node.again("machine/etc_hosts.sh", params.hosts(nodes))


def test_hosts_keeps_foreign_lines(nodes: Mapping[str, Node]) -> None:
    node = nodes["gfs3"]
    node.run("sh", "-c", "echo '192.0.2.99 printer' >>/etc/hosts")
    node.step("machine/etc_hosts.sh", {"HOSTS": "192.0.2.1 node-gfs9"})
    lines = node.run("cat", "/etc/hosts").splitlines()
    node.run("sed", "-i", "/ printer$/d", "/etc/hosts")
    assert lines.count("192.0.2.99 printer") == 1
    assert "192.0.2.1 node-gfs9" in lines
    assert not [line for line in lines if "node-gfs1" in line]
    node.step("machine/etc_hosts.sh", params.hosts(nodes))


def test_hosts_refuses_a_contradicting_line(spare: Node, nodes: Mapping[str, Node]) -> None:
    spare.run("sh", "-c", "sed -i '1i 192.0.2.66 node-gfs1' /etc/hosts")
    assert "node-gfs1 is 192.0.2.66 on this machine" in spare.refuses("machine/etc_hosts.sh", params.hosts(nodes))
    spare.run("sed", "-i", "1d", "/etc/hosts")
    spare.step("machine/etc_hosts.sh", params.hosts(nodes))
