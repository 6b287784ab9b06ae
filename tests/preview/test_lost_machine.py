"""What `up --replace`, and `refresh` with `up`, do about a machine and its disk, through the real engine on paper."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from components.roll import nodes, turns
from components.roll.node import Access
from rehearsal import progress
from rehearsal.deploy.deployment import Deployment, OperationResult
from rehearsal.preview.paper import PaperMachine, PaperRegion
from rehearsal.region.disk import Disk
from rehearsal.region.faults import FaultInjector
from rehearsal.region.machine import Attachment

MACHINES = {"aws-wordpress": "Instance", "digitalocean-wordpress": "Droplet"}
ATTACHMENTS = {
    "aws-wordpress": {"EipAssociation gfs1", "TargetGroupAttachment gfs1", "VolumeAttachment gfs1-data"},
    "digitalocean-wordpress": {"VolumeAttachment gfs1-data"},
}
"""The resources of the machine gfs1 that its cloud forgets with it."""


@pytest.fixture
def events(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What happens to the machines, in order."""
    seen: list[str] = []
    attach, detach = PaperMachine.attach, PaperMachine.detach

    def on_attach(machine: PaperMachine, attachment: Attachment) -> None:
        seen.append(f"{machine.name}: disk attached")
        attach(machine, attachment)

    def on_detach(machine: PaperMachine, disk: Disk) -> None:
        seen.append(f"{machine.name}: disk detached")
        detach(machine, disk)

    monkeypatch.setattr(PaperMachine, "shut_down", lambda machine: seen.append(f"{machine.name}: shut down"))
    monkeypatch.setattr(PaperMachine, "destroy", lambda machine: seen.append(f"{machine.name}: gone"))
    monkeypatch.setattr(PaperMachine, "attach", on_attach)
    monkeypatch.setattr(PaperMachine, "detach", on_detach)
    return seen


@pytest.fixture(params=sorted(MACHINES))
def stack(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def run(operation: Callable[[progress.Step], OperationResult]) -> set[str]:
    """Run an operation of the engine; returns its changes without those of remote steps."""
    with progress.step("the engine's operation") as step:
        return {change for change in operation(step).changes if not change.startswith("Command ")}


async def in_service(access: Access, script: Path, params: Mapping[str, str]) -> str:
    """What a whole node answers."""
    return "yes" if params.get("IN_SERVICE") else ""


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_machine_is_replaced_and_lost_ones_come_back(
    stack: str, deployment: Deployment, region: PaperRegion, events: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(nodes, "run", in_service)
    monkeypatch.setattr(turns, "NOTICED", 0)
    faults, machine = FaultInjector(region), MACHINES[stack]
    run(deployment.up)
    events.clear()

    # the disk leaves the old machine after its shutdown
    run(lambda step: deployment.replace([f"{machine} gfs1"], step))
    assert events == ["gfs1: shut down", "gfs1: gone", "gfs1: disk attached"]

    # the cloud forgets what belonged to the machine, and a lost disk leaves a machine that runs on
    faults.lose_machine("gfs1")
    faults.lose_disks("gfs2")
    gone = {f"{machine} gfs1", *ATTACHMENTS[stack], "Volume gfs2-data", "VolumeAttachment gfs2-data"}
    assert run(deployment.refresh) == {f"{name} (delete)" for name in gone}
    events.clear()
    assert run(deployment.up) == {f"{name} (create)" for name in gone}
    assert sorted(events) == ["gfs1: disk attached", "gfs2: disk attached"]
    assert run(deployment.up) == set()
