"""The drill of an upgrade: what counts as done on a node, and as one node at a time."""

from __future__ import annotations

from collections.abc import Sequence
from unittest.mock import Mock

import pytest

from rehearsal.deploy.deployment import Deployment
from rehearsal.drills.availability import Availability
from rehearsal.drills.fault_window import FaultWindow
from rehearsal.drills.site import Site
from rehearsal.drills.upgrade import WaitingUpgrade
from rehearsal.drills.wordpress import WordPressDrill
from rehearsal.probes.base import Attempt, Probe
from rehearsal.region.control import RegionControl
from rehearsal.system.shell import ToolError

NODES = ("gfs1", "gfs2", "app1")


@pytest.fixture
def site() -> Mock:
    """A site whose nodes answer with the newer version and the id of their boot."""
    site = Mock(spec=Site, nodes=NODES, roles=Mock(bricks=("gfs1", "gfs2")))
    site.settings = Mock(cloud="aws")
    site.on.side_effect = ["11.1-6+rehearsal\n", "first\n"]
    return site


def test_a_node_is_done_with_another_boot_and_the_newer_version(site: Mock) -> None:
    upgrade = WaitingUpgrade(site, "gfs1")
    assert site.on.call_args_list[0].args[-1] == "glusterfs-server"
    site.on.side_effect = ["first\n", ToolError("the node is down"), ToolError("under way"), "second\n"]
    assert [upgrade.rebooted() for _ in range(4)] == [False, False, False, True]
    site.on.side_effect = ["installed 11.1-6", "half-configured 11.1-6+rehearsal", "installed 11.1-6+rehearsal"]
    assert [upgrade.installed() for _ in range(3)] == [False, False, True]


def test_a_node_without_a_brick_upgrades_the_client(site: Mock) -> None:
    WaitingUpgrade(site, "app1")
    assert site.on.call_args_list[0].args[-1] == "glusterfs-client"


@pytest.mark.parametrize(
    ("seen", "error", "passed"),
    [
        (["gfs1", "gfs2", "app1"], None, [True, True]),
        (["gfs1", "gfs2", "app1"], "ReadTimeout", [True, True]),
        (["gfs1", "gfs2", "app1"], "502", [False, True]),
        (["gfs1", "gfs1 gfs2", "app1"], None, [True, False]),
        (["gfs1", "gfs2"], None, [True, False]),
        ([], None, [True, False]),
    ],
)
def test_turns_are_of_one_node_each_and_refuse_no_page(
    monkeypatch: pytest.MonkeyPatch, site: Mock, seen: Sequence[str], error: str | None, passed: Sequence[bool]
) -> None:
    monkeypatch.setattr("rehearsal.drills.base.Site", lambda deployment, control: site)
    drill = WordPressDrill(Mock(spec=Deployment), Mock(spec=RegionControl))
    availability = Availability(site)
    availability.seen = {frozenset(nodes.split()) for nodes in seen}
    page = Probe("page", "visitor", [Attempt(9, 1, "before"), Attempt(11, 1, error)])
    window = Mock(spec=FaultWindow, since=10, probes=[page])
    window.name = "upgrade"
    drill.check_turns(window, availability, NODES)
    assert [check.passed for check in drill.checks] == passed
    assert {check.fault for check in drill.checks} == {"upgrade"}
