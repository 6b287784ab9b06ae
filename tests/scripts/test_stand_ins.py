"""Properties of the machines and the network that the findings of a rehearsal depend on."""

from __future__ import annotations

import ipaddress
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress

from rehearsal.drills.reachability import OPERATOR, STRANGER, reaches
from rehearsal.region.control import RegionControl
from rehearsal.region.endpoint import Endpoint
from rehearsal.region.firewall import Group, Rule
from rehearsal.region.region import Region
from rehearsal.system.shell import ToolError
from tests.scripts.node import Node


@contextmanager
def in_group(region: Region, node: Node, group: str) -> Iterator[None]:
    """Put a machine into one security group only, while the block runs."""
    region.network.put_in_groups(node.machine.endpoint, (group,))
    try:
        yield
    finally:
        region.network.put_in_groups(node.machine.endpoint, ("sg-all",))


def test_user_data_reaches_cloud_init_byte_for_byte(nodes: Mapping[str, Node]) -> None:
    for node in nodes.values():
        sent = (node.machine.root / "var/lib/cloud/seed/nocloud/user-data").read_bytes()
        received = (node.machine.root / f"var/lib/cloud/instances/i-{node.name}/user-data.txt").read_bytes()
        assert received == sent
        assert sent.startswith(b"Content-Type: multipart/mixed")


def test_a_port_is_open_to_the_group_that_a_rule_names_and_to_no_other(
    region: Region, nodes: Mapping[str, Node]
) -> None:
    control, anywhere = RegionControl(region), Rule("-1", 0, 0, ipaddress.IPv4Network("0.0.0.0/0"))
    region.network.groups["sg-in"] = Group(egress={"out": anywhere})
    region.network.groups["sg-friends"] = Group(egress={"out": anywhere})
    with in_group(region, nodes["gfs1"], "sg-in"), in_group(region, nodes["gfs2"], "sg-friends"):
        assert not control.reaches("gfs2", "gfs1", 22)
        region.network.groups["sg-in"].ingress["ssh"] = Rule("tcp", 22, 22, "sg-friends")
        region.network.apply()
        assert control.reaches("gfs2", "gfs1", 22)
        assert not control.reaches("gfs3", "gfs1", 22)
        region.network.groups["sg-in"].ingress["ssh"] = Rule("tcp", 23, 24, "sg-friends")
        region.network.apply()
        assert not control.reaches("gfs2", "gfs1", 22)


def test_nothing_leaves_a_group_without_a_rule_for_it(region: Region, nodes: Mapping[str, Node]) -> None:
    control = RegionControl(region)
    region.network.groups["sg-mute"] = Group()
    with in_group(region, nodes["gfs2"], "sg-mute"):
        assert not control.reaches("gfs2", "gfs1", 22)
    assert control.reaches("gfs2", "gfs1", 22)


def test_two_machines_of_one_subnet_reach_each_other_through_the_router(
    region: Region, nodes: Mapping[str, Node]
) -> None:
    subnet = ipaddress.IPv4Network("10.20.1.0/24")
    neighbour = Endpoint("neighbour", (region.network.new_port("eth0", subnet, ("sg-all",)),))
    region.network.plug(neighbour, configured=True)
    try:
        assert neighbour.address != nodes["gfs1"].address
        nodes["gfs1"].run("ping", "-c", "1", "-W", "2", neighbour.address)
    finally:
        region.network.unplug(neighbour)


def test_a_power_loss_loses_what_was_not_synced_and_nothing_else(spare: Node) -> None:
    spare.run("mkfs.xfs", "-q", "-f", spare.disk)
    try:
        spare.run("mount", spare.disk, "/mnt")
        spare.run("sh", "-c", "echo kept >/mnt/flushed; sync; echo lost >/mnt/pending")
        spare.machine.power_off()
        assert not spare.machine.running
        spare.machine.power_on()
        spare.eventually("systemctl", "is-active", "--quiet", "ssh")
        spare.run("mount", spare.disk, "/mnt")
        assert spare.run("sh", "-c", "cd /mnt; for file in *; do cat $file; done") == "kept\n"
    finally:
        spare.run("sh", "-c", "umount /mnt; wipefs --all --quiet " + spare.disk)


def test_a_machine_that_reboots_comes_back_alone_and_is_the_same(spare: Node) -> None:
    started = spare.run("stat", "--format=%Y", "/proc/1")
    spare.run("touch", "/root/mine")
    spare.machine.reboot()
    end = time.monotonic() + 60
    while True:
        with suppress(ToolError, ProcessLookupError):
            if spare.run("stat", "--format=%Y", "/proc/1") != started:
                break
        assert time.monotonic() < end, "the machine did not come back"
        time.sleep(0.1)
    spare.eventually("systemctl", "is-active", "--quiet", "ssh")
    spare.run("test", "-e", "/root/mine")


def test_a_range_lets_in_its_own_addresses_only(region: Region, nodes: Mapping[str, Node]) -> None:
    region.network.groups["sg-operator"] = Group({"ssh": Rule("tcp", 22, 22, ipaddress.IPv4Network("203.0.113.0/24"))})
    public = nodes["gfs1"].machine.endpoint.public or ""
    with in_group(region, nodes["gfs1"], "sg-operator"):
        assert reaches(OPERATOR, public, 22)
        assert not reaches(STRANGER, public, 22)
