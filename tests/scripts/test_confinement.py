"""A machine of a rehearsal reaches its own disks, and neither this host's devices nor its kernel."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import pytest

from rehearsal.system.shell import ToolError
from tests.scripts.node import Node

FORBIDDEN = ("CAP_SYS_MODULE", "CAP_SYS_RAWIO", "CAP_SYS_TIME", "CAP_SYSLOG", "CAP_BPF", "CAP_MAC_ADMIN")


def disks_of_this_host() -> list[str]:
    """The numbers of this host's block devices, but for loop devices."""
    devices = [device for device in Path("/sys/block").iterdir() if not device.name.startswith(("loop", "ram", "zram"))]
    return [(device / "dev").read_text().strip() for device in devices]


def opened(node: Node, number: str) -> bool:
    """Whether a machine can read the block device of this number."""
    script = 'mknod "/dev/tried" b "$1" "$2" && dd if=/dev/tried of=/dev/null bs=512 count=1 status=none'
    # in a control group of the machine, which a command of `run` is not in
    command = ["systemd-run", "--quiet", "--wait", "--collect", "sh", "-c", f"rm -f /dev/tried; {script}", "sh"]
    try:
        node.run(*command, *number.split(":"))
    except ToolError:
        return False
    return True


def test_a_machine_opens_its_own_disk_and_none_of_this_host(nodes: Mapping[str, Node]) -> None:
    node, other = nodes["gfs1"], nodes["gfs2"]

    def number(node: Node) -> str:
        device = node.machine.attachments[0].disk.device.stat().st_rdev
        return f"{os.major(device)}:{os.minor(device)}"

    assert opened(node, number(node))
    assert not opened(node, number(other))
    hosts_own = disks_of_this_host()
    assert hosts_own
    assert [disk for disk in hosts_own if opened(node, disk)] == []


def test_a_machine_has_no_power_over_this_hosts_kernel(nodes: Mapping[str, Node]) -> None:
    node = nodes["gfs1"]
    bounding = int(node.run("sh", "-c", "sed -n 's/^CapBnd:.//p' /proc/1/status"), 16)
    names = node.run("capsh", f"--decode={bounding:x}").strip().partition("=")[2].upper().split(",")
    assert set(FORBIDDEN) & {*names} == set()
    with pytest.raises(ToolError):
        node.run("systemd-run", "--quiet", "--wait", "--collect", "modprobe", "dummy")


def test_no_unit_of_a_machine_failed(nodes: Mapping[str, Node]) -> None:
    for node in nodes.values():
        assert node.run("systemctl", "list-units", "--failed", "--plain", "--no-legend") == ""
