"""Every stack has a drill, chosen by its settings; checks have the fault's name, the measurement and the limit."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import Any
from unittest.mock import Mock

import pytest

from components.config.loader import parse
from components.config.settings import Settings
from rehearsal.deploy.deployment import Deployment, DeploymentFailed, OperationResult, Step
from rehearsal.deploy.stacks import stack_settings, stacks
from rehearsal.drills.base import Drill, UnknownPartError
from rehearsal.drills.existing import ExistingDrill
from rehearsal.drills.factory import DRILLS
from rehearsal.drills.fault_window import FaultWindow
from rehearsal.drills.site import Site
from rehearsal.drills.wordpress import WordPressDrill
from rehearsal.project import PROJECT
from rehearsal.region.control import RegionControl
from rehearsal.report.model import Check, FaultResult
from rehearsal.session.runner import drill_for
from tests.unit.graph import committed, text


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


@pytest.mark.parametrize("stack", stacks())
def test_an_unknown_part_of_a_stacks_drill_is_refused_before_a_machine_boots(stack: str) -> None:
    config = {name.removeprefix(f"{PROJECT}:"): text(value) for name, value in committed(stack).items()}
    deployment, control = Mock(spec=Deployment), Mock(spec=RegionControl)
    deployment.settings.return_value = parse(config)
    control.machines.return_value = {}
    with pytest.raises(DeploymentFailed, match=f"{stack}: the drill has no part fire; its parts: .*loses power"):
        drill_for(stack, deployment, control, "drill", ["fire"])
    drill = drill_for(stack, deployment, control, "drill", ["all nodes reboot at once"])
    assert drill
    assert drill.site.settings == parse(config)
    assert {name for name, *_ in deployment.method_calls} <= {"settings", "set"}
    assert {name for name, *_ in control.method_calls} <= {"machines"}


@pytest.mark.parametrize(
    ("left", "results"),
    [
        (["shop", "shop,BucketVersioning"], [(True, "nothing"), (True, "kept")]),
        (["shop", "role"], [(False, "role"), (True, "kept")]),
        ([], [(True, "nothing"), (False, "deleted")]),
    ],
)
def test_nothing_but_the_bucket_of_the_backups_outlives_the_stack(
    drill: Drill, left: list[str], results: list[tuple[bool, str]]
) -> None:
    drill.site.settings = Mock(cloud="aws")
    control = Mock(spec=RegionControl)
    control.resource_ids.return_value, control.machines.return_value = left, {}
    wordpress = WordPressDrill(Mock(spec=Deployment), control)
    wordpress.bucket = "shop"
    wordpress.destroy()
    assert measured(wordpress) == results


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


BRICKS = ("gfs1", "gfs2", "gfs3")
FILES = "\n".join(f"{digit * 64}  ./{name}" for digit, name in (("a", "index.php"), ("b", "an upload.jpg")))


class Losses:
    """The calls of one loss of a machine, in order, by a drill of three bricks, the last one an arbiter's."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, drill_type: type[Drill]) -> None:
        self.calls: list[str] = []
        site = Mock(spec=Site, mount="/var/www", nodes=[*BRICKS, "app1"], arbiters=["gfs3"])
        site.roles = Mock(bricks=BRICKS)
        site.healthy.return_value, site.checksums.return_value = True, FILES
        site.read_outputs.side_effect = self.called("outputs read")
        monkeypatch.setattr("rehearsal.drills.base.Site", lambda deployment, control: site)
        deployment, control = Mock(spec=Deployment), Mock(spec=RegionControl)
        self.second_up = OperationResult(1.0)
        self.ups = iter([OperationResult(40.0), self.second_up])
        deployment.refresh.side_effect = self.called("refresh")
        deployment.up.side_effect = lambda shown: self.called("up")() or next(self.ups)
        deployment.set.side_effect = lambda key, value: self.calls.append(f"{key}={value}")
        control.power_off.side_effect = lambda node: self.called("power off")() or 1000.0
        control.lose_disks.side_effect = self.called("disks lost")
        control.lose_machine.side_effect = self.called("machine lost")
        control.replace_existing.side_effect = lambda node: self.called("new machine")() or "ssh-ed25519 AAAA"
        self.drill, self.site = drill_type(deployment, control), site
        self.window = Mock(spec=FaultWindow, probes=[Mock(), Mock()], since=0, heal_seconds=3.0, pending=0, step=Mock())
        self.window.probes[0].name = "gfs1"
        self.window.result.return_value = FaultResult(
            name="gfs1 is gone", acknowledged_writes=9, lost_acknowledged_writes=0, write_outage_seconds=4.0,
            read_outage_seconds=4.0, page_outage_seconds=4.0,
        )  # fmt: skip

        @contextmanager
        def fault_window(name: str) -> Iterator[Mock]:
            self.calls.append(name)
            yield self.window

        monkeypatch.setattr(self.drill, "fault_window", fault_window)

    def called(self, what: str) -> Callable[..., None]:
        return lambda *_: self.calls.append(what)

    @property
    def failed(self) -> dict[str, str]:
        return {check.name: check.measured for check in self.drill.checks if not check.passed}


UP = ["up", "outputs read", "up"]


@pytest.mark.parametrize(
    ("drill_type", "part", "calls"),
    [
        (Drill, "gfs1 is gone", ["power off", "machine lost", "refresh", *UP]),
        (Drill, "gfs1 and its disk are gone", ["power off", "disks lost", "machine lost", "refresh", *UP]),
        (Drill, "app1 is gone", ["power off", "machine lost", "refresh", *UP]),
        (
            ExistingDrill,
            "gfs1 and its disk are gone",
            ["power off", "new machine", "ha-wordpress:nodes.gfs1.host_key=ssh-ed25519 AAAA", *UP],
        ),
    ],
)
def test_a_lost_machine_is_replaced_as_an_operator_does(
    monkeypatch: pytest.MonkeyPatch, drill_type: type[Drill], part: str, calls: list[str]
) -> None:
    losses = Losses(monkeypatch, drill_type)
    parts = losses.drill.machine_losses_of(part.split(maxsplit=1)[0])
    assert part in parts
    parts[part]()
    assert losses.calls == [part, *calls]
    assert losses.failed == {}
    assert losses.window.up_seconds == 40.0
    assert losses.window.full_redundancy_seconds is not None
    # the clients of the lost machine do not count
    survivors = [probe for probe in losses.window.probes if probe.name != part.split(maxsplit=1)[0]]
    losses.window.end.assert_called_once_with(survivors)


@pytest.mark.parametrize(
    ("change", "failed"),
    [
        (lambda losses: losses.second_up.steps.update(a=Step("urn::T::n", "T", "update", 0)),
         {"resources changed by a second up": "T n (update)"}),
        (lambda losses: setattr(losses.site.healthy, "return_value", False),
         {"serves again on a new machine": "no"}),
        (lambda losses: setattr(losses.site.checksums, "side_effect", [FILES, FILES.replace("b", "c")]),
         {"files that differ between its brick and another": "2 of 2"}),
        (lambda losses: setattr(losses.site.checksums, "side_effect", [FILES, ""]),
         {"files that differ between its brick and another": "2 of 2"}),
        (lambda losses: setattr(losses.site.checksums, "return_value", ""),
         {"files that differ between its brick and another": "0 of 0"}),
    ],
)  # fmt: skip
def test_a_machine_that_is_not_fully_replaced_fails_a_check(
    monkeypatch: pytest.MonkeyPatch, change: Callable[[Losses], Any], failed: dict[str, str]
) -> None:
    losses = Losses(monkeypatch, Drill)
    change(losses)
    losses.drill.machine_losses_of("gfs1")["gfs1 is gone"]()
    assert losses.failed == failed


def test_an_arbiter_has_the_names_of_the_files_only(monkeypatch: pytest.MonkeyPatch) -> None:
    losses = Losses(monkeypatch, Drill)
    empty = FILES.replace("a" * 64, "e" * 64).replace("b" * 64, "e" * 64)
    losses.site.checksums.side_effect = [FILES, empty, FILES, empty.splitlines()[0]]
    part = losses.drill.machine_losses_of("gfs3")["gfs3 and its disk are gone"]
    part()
    assert losses.failed == {}
    losses.ups = iter([OperationResult(40.0), losses.second_up])
    part()
    assert losses.failed == {"files that differ between its brick and another": "1 of 2"}
