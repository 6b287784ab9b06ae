"""The step of maintenance/: nodes upgrade and reboot one after another, and only while the others are whole."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor

import pytest

from components.machine.etc_hosts import host_name
from components.maintenance.maintenance import maintenance_params
from components.roll.nodes import Duties
from rehearsal.drills.upgrade import NEWER_PACKAGE
from rehearsal.system.shell import ToolError
from tests.scripts import params
from tests.scripts.node import Node

STEP = "maintenance/maintenance.sh"
LIMIT = 5
"""Seconds that a node waits here, for the others, for the lock, or to become whole."""
RETURN = 120
"""Seconds that a node has to become whole after its reboot."""
UNIT, RETURN_UNIT = "site-maintenance", "site-maintenance-return"
REQUIRED, DRAINED = "/run/reboot-required", "/run/ha-wordpress-drained"
STATE = "/var/lib/ha-wordpress/maintenance"
BOOT = "/proc/sys/kernel/random/boot_id"
PACKAGE = "glusterfs-server"
AS_PHP = ("setpriv", "--reuid=www-data", "--regid=www-data", "--clear-groups")


def health(node: Node) -> str:
    return f"http://{node.address}:80/healthz"


def step(
    nodes: Mapping[str, Node], name: str, *, lock_limit: float = LIMIT, return_limit: float = RETURN
) -> dict[str, str]:
    """Parameters of maintenance.sh for a node. The timer's time does not come."""
    return maintenance_params(
        name,
        Duties(urls=("http://127.0.0.1:80/healthz",), volume="wp", access_log="/var/log/nginx/access.log"),
        [health(node) for other, node in nodes.items() if other != name],
        "wp",
        [peer for peer in params.PEERS if peer != host_name(name)],
        "2099-01-01",
        gate_limit=LIMIT,
        return_limit=return_limit,
        lock_limit=lock_limit,
    )


@pytest.fixture(scope="module")
def maintained(mounted: Mapping[str, Node]) -> Mapping[str, Node]:
    """Three nodes that serve, with their maintenance."""

    def prepare(node: Node) -> None:
        node.step("web/web.sh", params.web())
        node.eventually("curl", "--silent", "--fail", health(node))
        node.step(STEP, step(mounted, node.name))

    with ThreadPoolExecutor() as pool:
        list(pool.map(prepare, mounted.values()))
    return mounted


@pytest.fixture
def whole(maintained: Mapping[str, Node]) -> Iterator[Mapping[str, Node]]:
    """The nodes, whole and without anything that waits, before the test and after it."""
    settle(maintained)
    yield maintained
    for node in maintained.values():
        node.run("rm", "-f", REQUIRED, DRAINED, STATE)
        node.run("systemctl", "reset-failed")
    settle(maintained)


def settle(nodes: Mapping[str, Node]) -> None:
    for node in nodes.values():
        node.eventually("curl", "--silent", "--fail", health(node), within=60)
    nodes["gfs1"].eventually("sh", "-c", params.HEALED, within=60)


def boots(nodes: Mapping[str, Node]) -> dict[str, str]:
    """What identifies each node's boot."""
    return {name: node.run("cat", BOOT) for name, node in nodes.items()}


def lock(node: Node, action: str, name: str) -> str:
    """The node that has the lock after one takes or frees it."""
    return node.run("/usr/local/lib/ha-wordpress/site-maintenance-lock", action, name, params.ROOT).strip()


def holder(node: Node) -> str:
    return lock(node, "free", "nobody")


def failure(node: Node, unit: str = UNIT) -> str:
    """What a unit that must fail logs."""
    with pytest.raises(ToolError):
        node.run("systemctl", "start", "--wait", unit)
    node.run("journalctl", "--sync")
    shown = node.run("systemctl", "show", "--property=InvocationID", "--value", unit).strip()
    return node.run("journalctl", "--output=cat", f"_SYSTEMD_INVOCATION_ID={shown}")


def answers(watcher: Node, node: Node) -> bool:
    try:
        watcher.run("curl", "--silent", "--fail", "--max-time", "5", "--output", "/dev/null", health(node))
    except ToolError:
        return False
    return True


def is_done(node: Node, boot: str) -> bool:
    """Whether a node has rebooted since that boot, and its maintenance has ended."""
    try:
        return node.run("sh", "-c", f"test ! -e {STATE} && cat {BOOT}") != boot
    except (ToolError, LookupError, ProcessLookupError):
        return False


def test_a_second_step_changes_nothing(maintained: Mapping[str, Node]) -> None:
    node = maintained["gfs1"]
    node.again(STEP, step(maintained, "gfs1"))
    assert node.run("systemctl", "is-active", f"{UNIT}.timer") == "active\n"
    assert node.run("sh", "-c", "systemctl is-enabled apt-daily-upgrade.timer || true") == "disabled\n"


def test_nothing_happens_when_nothing_waits(whole: Mapping[str, Node]) -> None:
    before = boots(whole)
    node = whole["gfs1"]
    # a lost machine that this one has replaced may have had it
    assert lock(node, "take", "gfs1") == "gfs1"
    node.run("systemctl", "start", UNIT)
    assert boots(whole) == before
    assert holder(node) == ""
    assert "run/ha-wordpress/maintenance" not in node.run("cat", "/proc/self/mounts")


def test_a_node_waits_for_the_others_and_is_not_touched(whole: Mapping[str, Node]) -> None:
    before = boots(whole)
    whole["gfs1"].run("touch", REQUIRED)
    whole["gfs2"].run("touch", DRAINED)
    log = failure(whole["gfs1"])
    assert "The site needs this node. Nothing was touched:" in log
    assert f"{health(whole['gfs2'])} answers 503" in log
    assert boots(whole) == before
    assert (
        whole["gfs1"].run("sh", "-c", f"ls {DRAINED} /run/ha-wordpress-maintenance {STATE} 2>/dev/null || true") == ""
    )
    assert holder(whole["gfs3"]) == ""


def test_a_brick_that_is_away_keeps_the_others_untouched(whole: Mapping[str, Node]) -> None:
    before = boots(whole)
    whole["gfs1"].run("touch", REQUIRED)
    whole["gfs3"].run("pkill", "-x", "glusterfsd")
    try:
        log = failure(whole["gfs1"])
        assert f"brick {host_name('gfs3')}:{params.BRICK} is offline" in log
    finally:
        whole["gfs1"].run("gluster", "--mode=script", "volume", "start", "wp", "force")
    assert boots(whole) == before
    assert holder(whole["gfs1"]) == ""


def test_a_lock_that_another_node_has_is_waited_for(whole: Mapping[str, Node]) -> None:
    before = boots(whole)
    whole["gfs1"].run("touch", REQUIRED)
    assert lock(whole["gfs2"], "take", "gfs2") == "gfs2"
    assert lock(whole["gfs3"], "take", "gfs3") == "gfs2"
    assert lock(whole["gfs3"], "free", "gfs3") == "gfs2"
    assert "gfs2 has the lock of the site's maintenance. Nothing was touched." in failure(whole["gfs1"])
    assert boots(whole) == before
    assert lock(whole["gfs2"], "free", "gfs2") == ""


def test_php_can_neither_take_nor_free_the_lock(whole: Mapping[str, Node]) -> None:
    node = whole["gfs1"]
    program = "/usr/local/lib/ha-wordpress/site-maintenance-lock"
    with pytest.raises(ToolError, match="Operation not permitted"):
        node.run(*AS_PHP, program, "take", "gfs1", params.ROOT)
    assert lock(node, "take", "gfs1") == "gfs1"
    # it sees none
    assert node.run(*AS_PHP, program, "free", "gfs1", params.ROOT) == "\n"
    with pytest.raises(ToolError, match="Operation not permitted"):
        node.run(*AS_PHP, "setfattr", "--remove=trusted.ha-wordpress.maintenance", params.ROOT)
    assert holder(whole["gfs2"]) == "gfs1"
    lock(node, "free", "gfs1")


def test_two_nodes_upgrade_and_reboot_one_after_the_other(whole: Mapping[str, Node]) -> None:
    before = boots(whole)
    pair = {name: whole[name] for name in ("gfs1", "gfs2")}
    newer = {}
    for name, node in pair.items():
        node.step(STEP, step(whole, name, lock_limit=600))
        newer[name] = node.run("bash", "-c", NEWER_PACKAGE, "bash", PACKAGE).strip()
    # a package that waits is enough
    whole["gfs2"].run("rm", REQUIRED)
    for node in pair.values():
        node.run("systemctl", "start", "--no-block", UNIT)
    watcher, out, end = whole["gfs3"], set[frozenset[str]](), time.monotonic() + 600
    while time.monotonic() < end and not all(is_done(node, before[name]) for name, node in pair.items()):
        out.add(frozenset(name for name, node in pair.items() if not answers(watcher, node)))
        time.sleep(1)
    assert out == {frozenset(), frozenset({"gfs1"}), frozenset({"gfs2"})}
    after = boots(whole)
    assert {name for name in whole if after[name] != before[name]} == pair.keys()
    assert holder(watcher) == ""
    for name, node in pair.items():
        assert node.run("dpkg-query", "--show", "--showformat", "${Version}", PACKAGE) == newer[name]
        assert node.run("sh", "-c", f"systemctl is-failed {RETURN_UNIT} || true") == "inactive\n"
        node.step(STEP, step(whole, name))


def test_a_node_that_is_not_whole_after_its_reboot_keeps_the_lock(whole: Mapping[str, Node]) -> None:
    node = whole["gfs2"]
    node.step(STEP, step(whole, "gfs2", return_limit=LIMIT))
    assert lock(node, "take", "gfs2") == "gfs2"
    node.run("touch", STATE, DRAINED)
    try:
        node.run("systemctl", "start", RETURN_UNIT)
        node.eventually("systemctl", "is-failed", "--quiet", RETURN_UNIT, within=60)
        assert holder(whole["gfs1"]) == "gfs2"
        node.run("rm", DRAINED)
        node.run("systemctl", "start", RETURN_UNIT)
        node.eventually("sh", "-c", f"test ! -e {STATE}", within=60)
        assert holder(whole["gfs1"]) == ""
    finally:
        lock(node, "free", "gfs2")
        node.step(STEP, step(whole, "gfs2"))
