"""What the scripts of roll/ say of a node, and how they take it out of service and put it back."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from components.roll.turns import NOTICED
from tests.scripts import params
from tests.scripts.node import Node

HEALTH = "http://127.0.0.1:80/healthz"
LOG = "/var/log/nginx/access.log"


def lacking(node: Node, *, healed: bool = True, returned: bool = False, urls: str = "") -> list[str]:
    """What a node lacks."""
    return node.step_output("roll/check.sh", check(urls, healed=healed, returned=returned)).splitlines()


def in_service(node: Node, urls: str = "") -> str:
    """Whether a node does any of its duties."""
    return node.step_output("roll/check.sh", {**check(urls), "IN_SERVICE": "yes"}).strip()


def check(urls: str, *, healed: bool = False, returned: bool = False) -> dict[str, str]:
    return {
        "URLS": urls,
        "VOLUME": "wp",
        "HEALED": "yes" if healed else "",
        "RETURNED": "yes" if returned else "",
        "IN_SERVICE": "",
    }


def whole(node: Node) -> None:
    """Wait until a node lacks nothing."""
    for _ in range(60):
        if not (last := lacking(node)):
            return
    pytest.fail(f"still lacking: {last}")


def test_a_whole_pool_lacks_nothing(mounted: Mapping[str, Node]) -> None:
    whole(mounted["gfs1"])
    assert in_service(mounted["gfs1"]) == "yes"


def test_a_brick_that_is_off_and_its_entries_are_seen_until_they_are_healed(mounted: Mapping[str, Node]) -> None:
    whole(mounted["gfs1"])
    mounted["gfs2"].run("pkill", "-x", "glusterfsd")
    try:
        mounted["gfs2"].eventually("sh", "-c", "! pgrep -x glusterfsd")
        mounted["gfs1"].run("sh", "-c", f"echo written >{params.ROOT}/while-off")
        seen = lacking(mounted["gfs1"])
        assert any(line.startswith("brick node-gfs2:") and line.endswith(" is offline") for line in seen), seen
        assert len(seen) > 1, seen
        assert in_service(mounted["gfs2"]) == "no"
    finally:
        mounted["gfs1"].run("gluster", "--mode=script", "volume", "start", "wp", "force")
    whole(mounted["gfs1"])


def test_a_peer_that_is_not_connected_is_seen(mounted: Mapping[str, Node]) -> None:
    mounted["gfs3"].run("systemctl", "stop", "glusterd")
    try:
        assert any(line.startswith("peer node-gfs3: ") for line in lacking(mounted["gfs1"], healed=False))
        assert "glusterd does not tell the state of the bricks" in lacking(mounted["gfs3"])
    finally:
        mounted["gfs3"].run("systemctl", "start", "glusterd")
    whole(mounted["gfs1"])


def test_a_web_node_leaves_and_returns(mounted: Mapping[str, Node]) -> None:
    node = mounted["gfs1"]
    node.step("web/web.sh", params.web())
    node.eventually("curl", "--silent", "--fail", HEALTH)
    node.step("roll/drain.sh", {"LOG": LOG, "SECONDS_NOTICED": str(NOTICED)})
    node.step("roll/drain.sh", {"LOG": LOG, "SECONDS_NOTICED": str(NOTICED)})
    assert lacking(node, healed=False, urls=HEALTH) == [f"{HEALTH} answers 503"]
    # visitors that come all the same are served
    assert "404" in node.run("curl", "--silent", "--include", "http://127.0.0.1/none").splitlines()[0]
    assert node.run("systemctl", "is-active", "ha-wordpress-undrain.timer").strip() == "active"
    assert lacking(node, healed=False, returned=True, urls=HEALTH) == []


def test_a_node_under_maintenance_is_not_whole_and_stays_drained(mounted: Mapping[str, Node]) -> None:
    node, drained, maintained = mounted["gfs1"], "/run/ha-wordpress-drained", "/run/ha-wordpress-maintenance"
    node.run("touch", drained, maintained)
    try:
        assert lacking(node, healed=False, returned=True) == ["its maintenance is under way"]
        node.run("test", "-e", drained)
    finally:
        node.run("rm", drained, maintained)
    assert lacking(node, healed=False) == []
