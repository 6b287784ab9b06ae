"""Every stack has a drill, chosen by its settings; checks have the fault's name, the measurement and the limit."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from unittest.mock import Mock

import pytest

from components.config.settings import Settings
from rehearsal.deploy.deployment import Deployment, DeploymentFailed
from rehearsal.deploy.stacks import stack_settings, stacks
from rehearsal.drills.base import Drill, UnknownPartError
from rehearsal.drills.factory import DRILLS
from rehearsal.drills.fault_window import FaultWindow
from rehearsal.drills.site import Site
from rehearsal.project import PROJECT
from rehearsal.region.control import RegionControl
from rehearsal.report.model import Check, FaultResult


@pytest.mark.parametrize("stack", stacks())
def test_every_stack_has_a_drill(stack: str) -> None:
    settings = stack_settings(stack)
    kind = tuple(settings.get(f"{PROJECT}:{key}", Settings.model_fields[key].default) for key in ("web", "topology"))
    assert kind in DRILLS


def test_each_drill_is_of_one_kind_of_site() -> None:
    assert len(set(DRILLS.values())) == len(DRILLS)


@pytest.fixture
def drill(monkeypatch: pytest.MonkeyPatch) -> Drill:
    """A drill of a site with two healthy nodes, and of an engine that refuses a destroy of protected data."""
    site = Mock(spec=Site, mount="/var/www", nodes=["gfs1", "gfs2"])
    site.healthy.return_value = True
    monkeypatch.setattr("rehearsal.drills.base.Site", lambda deployment, control: site)
    deployment = Mock(spec=Deployment)
    deployment.destroy.side_effect = DeploymentFailed("gfs1: the resource is marked for protection: protect")
    return Drill(deployment, Mock(spec=RegionControl))


@pytest.mark.parametrize(
    ("seconds", "passed", "measured"), [(8.0, True, "8.0 s"), (8.1, False, "8.1 s"), (None, False, "not measured")]
)
def test_an_outage_is_checked_against_its_limit(
    drill: Drill, seconds: float | None, passed: bool, measured: str
) -> None:
    drill.check_outage(FaultResult(name="gfs1 loses power"), "write outage", seconds, 8)
    assert drill.checks == [
        Check(fault="gfs1 loses power", name="write outage", passed=passed, measured=measured, limit="<= 8 s")
    ]


class PartsDrill(Drill):
    """A drill that notes its parts as they run."""

    def parts(self) -> Mapping[str, Callable[[], object]]:
        self.ran: list[str] = []
        return {name: partial(self.ran.append, name) for name in ("flood", "gfs1 loses power", "refused destroy")}


@pytest.mark.parametrize(
    ("only", "ran"),
    [
        ([], ["flood", "gfs1 loses power", "refused destroy"]),
        (["refused destroy", "flood"], ["flood", "refused destroy"]),
    ],
)
def test_a_drill_runs_all_parts_or_the_named_ones_in_its_own_order(
    drill: Drill, only: list[str], ran: list[str]
) -> None:
    parts = PartsDrill(drill.deployment, drill.control)
    parts.run(only)
    assert parts.ran == ran


def test_an_unknown_part_is_refused_with_the_list_of_parts(drill: Drill) -> None:
    parts = PartsDrill(drill.deployment, drill.control)
    with pytest.raises(UnknownPartError, match="no part fire; its parts: flood, gfs1 loses power, refused destroy"):
        parts.run(["fire"])
    assert parts.ran == []


def measured(drill: Drill) -> list[tuple[bool, str]]:
    return [(check.passed, check.measured) for check in drill.checks]


def test_a_refused_destroy_leaves_a_healthy_site(drill: Drill) -> None:
    drill.refused_destroy()
    assert measured(drill) == [(True, "yes")]


def test_a_destroy_that_is_not_refused_for_protection_fails_the_check(drill: Drill) -> None:
    drill.deployment.destroy.side_effect = [None, DeploymentFailed("the engine crashed")]  # type: ignore[attr-defined]
    drill.refused_destroy()
    drill.refused_destroy()
    assert measured(drill) == [(False, "no"), (False, "no")]


def test_a_refused_destroy_that_stops_a_node_fails_the_check(drill: Drill) -> None:
    drill.site.healthy.side_effect = lambda node: node == "gfs1"  # type: ignore[attr-defined]
    drill.refused_destroy()
    assert measured(drill) == [(False, "gfs2 down")]


@pytest.mark.parametrize(
    ("acknowledged", "lost", "pending", "expected"),
    [
        (1284, 0, 0, [(True, "0 of 1,284"), (True, "3.2 s")]),
        (1284, 1, 2, [(False, "1 of 1,284"), (False, "2 entries pending")]),
        (0, 0, None, [(False, "0 of 0"), (False, "a brick does not answer")]),
    ],
)
def test_the_result_of_a_fault_is_returned_reported_and_checked(
    drill: Drill, acknowledged: int, lost: int, pending: int | None, expected: list[tuple[bool, str]]
) -> None:
    window = Mock(spec=FaultWindow, heal_seconds=3.2, heal_limit=180.0, pending=pending)
    window.result.return_value = FaultResult(
        name="a fault", acknowledged_writes=acknowledged, lost_acknowledged_writes=lost
    )
    assert drill.conclude(window) is window.result.return_value
    assert drill.faults == [window.result.return_value]
    assert [name for name, *_ in window.method_calls] == ["stop", "result"]
    assert measured(drill) == expected
    assert {check.fault for check in drill.checks} == {"a fault"}
