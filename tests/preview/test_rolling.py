"""Changes that interrupt several nodes, through the real engine on paper: one node after another, or none."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from pulumi.automation import CommandError

from components.roll import lacking, turns
from components.roll import nodes as asked
from components.roll.node import Access, NodeError
from rehearsal import progress
from rehearsal.deploy.deployment import Deployment, DeploymentFailed, OperationResult
from rehearsal.plugins.command import CommandInputs
from rehearsal.plugins.protocol import Properties, Refused
from rehearsal.preview import paper
from rehearsal.preview.paper import PaperMachine
from rehearsal.region.machine import Machine

CHANGES = {
    "aws-wordpress": ("ha-wordpress:machine.type", "t3.medium"),
    "digitalocean-wordpress": ("ha-wordpress:machine.size", "s-4vcpu-8gb"),
}
NODES = {"aws-wordpress": 3, "digitalocean-wordpress": 5}
WEB = {"aws-wordpress": {"gfs1", "gfs2", "gfs3"}, "digitalocean-wordpress": {"app1", "app2"}}

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


class Nodes:
    """Stands in for the nodes' answers over SSH. `events`: what happened to them, in order.

    `lacking`: what each node lacks; it may change while the engine works.
    """

    def __init__(self) -> None:
        self.names: dict[str, str] = {}
        self.events: list[str] = []
        self.lacking: dict[str, str] = {}
        self.lacking_after_change: dict[str, str] = {}
        self.out_of_service: set[str] = set()

    async def run(self, access: Access, script: Path, params: Mapping[str, str]) -> str:
        assert access.host_key.startswith("ssh-ed25519 ")
        name = self.names.get(access.address, "a new node")
        if script == asked.DRAIN:
            self.events.append(f"{name} leaves")
            return ""
        if params["IN_SERVICE"]:
            return "no" if name in self.out_of_service else "yes"
        in_turn = self.events and self.events[-1].startswith(f"{name} ") and not self.events[-1].endswith("returns")
        if in_turn and params["RETURNED"]:
            if lacking := self.lacking_after_change.get(name):
                raise NodeError(lacking)
            self.events.append(f"{name} returns")
            return ""
        return self.lacking.get(name, "")


@pytest.fixture
def nodes(monkeypatch: pytest.MonkeyPatch) -> Nodes:
    made = Nodes()
    monkeypatch.setattr(asked, "run", made.run)
    monkeypatch.setattr(lacking, "SETTLE", 0.05)
    monkeypatch.setattr(turns, "EVERY", 0.05)
    monkeypatch.setattr(turns, "NOTICED", 0)
    monkeypatch.setattr(turns, "RETURN_LIMIT", 0.3)
    monkeypatch.setattr(turns, "STALL", 0.3)

    def power_on(machine: Machine) -> None:
        made.events.append(f"{machine.name} starts")

    monkeypatch.setattr(PaperMachine, "shut_down", lambda machine: made.events.append(f"{machine.name} stops"))
    monkeypatch.setattr(PaperMachine, "power_off", lambda machine: made.events.append(f"{machine.name} stops"))
    monkeypatch.setattr(PaperMachine, "power_on", power_on)
    return made


@pytest.fixture(params=sorted(CHANGES))
def stack(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def deployment(stack: str, nodes: Nodes, deployment: Deployment) -> Deployment:
    """The deployed stack on a paper region, whose machines have another type in the settings."""
    run(deployment.up)
    nodes.names = {node["public"]: name for name, node in deployment.outputs()["nodes"].items()}
    nodes.events.clear()
    deployment.set(*CHANGES[stack])
    return deployment


def run(operation: Callable[[progress.Step], OperationResult]) -> list[str]:
    """Run an operation of the engine; returns its changes."""
    with progress.step("the engine's operation") as step:
        return list(operation(step).changes)


def turn(stack: str, name: str) -> list[str]:
    """The events of a node's turn."""
    leaves = [f"{name} leaves"] if name in WEB[stack] else []
    return [*leaves, f"{name} stops", f"{name} starts", f"{name} returns"]


def order(events: list[str]) -> list[str]:
    """The nodes in the order of their turns."""
    return list(dict.fromkeys(event.split()[0] for event in events))


def test_one_node_after_another_is_changed(stack: str, deployment: Deployment, nodes: Nodes) -> None:
    changes = run(deployment.up)
    assert len([change for change in changes if change.endswith("(update)")]) == NODES[stack]
    assert len(order(nodes.events)) == NODES[stack]
    assert nodes.events == [event for name in order(nodes.events) for event in turn(stack, name)]
    assert not run(deployment.up)


def test_a_node_that_does_not_return_ends_the_update(stack: str, deployment: Deployment, nodes: Nodes) -> None:
    nodes.lacking_after_change = dict.fromkeys(nodes.names.values(), "no answer by SSH")
    with pytest.raises(DeploymentFailed) as failed:
        run(deployment.up)
    (changed,) = order(nodes.events)
    assert f"{changed} was changed and did not come back: {changed}: no answer by SSH" in str(failed.value)
    assert f"was not touched, because {changed} was changed and did not come back" in str(failed.value)
    nodes.lacking_after_change.clear()
    nodes.events.clear()
    run(deployment.up)
    assert len(order(nodes.events)) == NODES[stack] - 1


@pytest.mark.parametrize("stack", ["aws-wordpress"], indirect=True)
def test_the_only_changed_node_does_not_return(deployment: Deployment, nodes: Nodes) -> None:
    deployment.remove(CHANGES["aws-wordpress"][0])
    deployment.set("ha-wordpress:nodes.gfs2.type", "t3.medium")
    nodes.lacking_after_change["gfs2"] = "no answer by SSH"
    with pytest.raises(DeploymentFailed, match="gfs2 was changed and did not come back: gfs2: no answer by SSH"):
        run(deployment.up)


@pytest.mark.parametrize("stack", ["aws-wordpress"], indirect=True)
def test_nothing_is_touched_while_another_node_is_not_whole(
    deployment: Deployment, nodes: Nodes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(turns, "GATE_LIMIT", 0.3)
    deployment.remove(CHANGES["aws-wordpress"][0])
    deployment.set("ha-wordpress:nodes.gfs2.type", "t3.medium")
    nodes.lacking["gfs3"] = "gfs3:/brick: entries to heal: 3"
    with pytest.raises(DeploymentFailed, match=r"gfs2 was not changed, as the site needs it: gfs3: .* to heal: 3"):
        run(deployment.up)
    assert nodes.events == []

    # a repair of the node that is not whole waits for nothing
    deployment.remove("ha-wordpress:nodes.gfs2.type")
    deployment.set("ha-wordpress:nodes.gfs3.type", "t3.medium")
    nodes.lacking["gfs2"] = "the brick is offline"
    nodes.out_of_service.add("gfs3")
    run(deployment.up)
    assert nodes.events == ["gfs3 stops", "gfs3 starts"]


@pytest.mark.parametrize("stack", ["aws-wordpress"], indirect=True)
def test_steps_that_interrupt_their_node_take_turns_and_a_failed_one_ends_the_update(
    deployment: Deployment, nodes: Nodes, monkeypatch: pytest.MonkeyPatch
) -> None:
    deployment.remove(CHANGES["aws-wordpress"][0])
    deployment.set("ha-wordpress:cache.memory_mb", "512")
    with monkeypatch.context() as patched:
        patched.setattr(paper.PaperCommand, "run", refuse)
        with pytest.raises(DeploymentFailed, match=r"was not touched, because the change of gfs\d failed"):
            run(deployment.up)
    (failed,) = order(nodes.events)
    assert nodes.events == [f"{failed} leaves", f"{failed} returns"]
    nodes.events.clear()

    changes = run(deployment.up)
    interrupting = [change for change in changes if "-web (" in change or "-varnish (" in change]
    assert len(interrupting) == 6
    assert [event.split()[1] for event in nodes.events] == ["leaves", "returns"] * len(interrupting)
    left, returned = ([event.split()[0] for event in nodes.events[begin::2]] for begin in (0, 1))
    assert left == returned


@pytest.mark.parametrize("stack", ["aws-wordpress"], indirect=True)
def test_another_nodes_new_address_interrupts_no_node(deployment: Deployment, nodes: Nodes) -> None:
    deployment.remove(CHANGES["aws-wordpress"][0])
    with progress.step("replacement") as step:
        changes = deployment.replace(["Instance gfs1"], step).changes
    assert {"Command gfs2-vcl (update)", "Command gfs3-vcl (update)"} <= {*changes}
    assert not [event for event in nodes.events if not event.startswith("gfs1 ")]


def test_a_preview_refuses_to_replace_two_nodes_at_once(deployment: Deployment, nodes: Nodes) -> None:
    deployment.remove(CHANGES[deployment.stack.name][0])
    machines = [
        resource["urn"] for resource in deployment.resources() if resource["type"].endswith((":Instance", ":Droplet"))
    ]
    first, second, *_ = sorted(urn for urn in machines if "gfs" in urn)
    with pytest.raises(CommandError, match="gfs1 and gfs2 would leave the site in one update"):
        deployment.stack.preview(replace=[first, second])
    deployment.stack.preview(replace=[first])

    # the refusal of an operator's destroy names the setting, and ends with it
    with pytest.raises(CommandError, match="protect"):
        deployment.stack.preview_destroy()
    deployment.set("ha-wordpress:protect_data", "false")
    run(deployment.up)
    deployment.stack.preview_destroy()
    assert nodes.events == []


@pytest.mark.parametrize("stack", ["digitalocean-wordpress"], indirect=True)
def test_an_update_warns_of_nodes_that_are_not_whole(deployment: Deployment, nodes: Nodes) -> None:
    deployment.remove(CHANGES["digitalocean-wordpress"][0])
    with progress.step("nothing to change") as step:
        assert not_whole(deployment.up(step)) == []
        nodes.lacking = {"gfs2": "brick node-gfs1:/brick is offline", "app1": "http://127.0.0.1/healthz answers 503"}
        result = deployment.up(step)
    assert result.changes == []
    assert not_whole(result) == [
        "The site is not whole. app1: http://127.0.0.1/healthz answers 503",
        "The site is not whole. gfs2: brick node-gfs1:/brick is offline",
    ]


@pytest.mark.parametrize("stack", ["digitalocean-wordpress"], indirect=True)
def test_a_web_node_leaves_the_balancer_before_its_machine_is_deleted(deployment: Deployment, nodes: Nodes) -> None:
    deployment.remove(CHANGES["digitalocean-wordpress"][0])
    for name in ("app3", "app4"):
        deployment.set(f"ha-wordpress:nodes.{name}.role", "web")
    run(deployment.up)
    nodes.names = {node["public"]: name for name, node in deployment.outputs()["nodes"].items()}
    nodes.events.clear()
    for name in ("app3", "app4"):
        deployment.remove(f"ha-wordpress:nodes.{name}")
    # two web nodes may leave together, but not while another is replaced
    (replaced,) = (each["urn"] for each in deployment.resources() if each["urn"].endswith("Droplet::app1"))
    with pytest.raises(CommandError, match="would leave the site in one update"):
        deployment.stack.preview(replace=[replaced])
    assert nodes.events == []
    assert {"Droplet app3 (delete)", "Droplet app4 (delete)"} <= {*run(deployment.up)}
    for name in ("app3", "app4"):
        assert [event for event in nodes.events if event.startswith(name)] == [f"{name} leaves", f"{name} stops"]
    assert {event.split()[0] for event in nodes.events} == {"app3", "app4"}


def not_whole(result: OperationResult) -> list[str]:
    """An update's warnings about nodes."""
    return sorted(warning for warning in result.warnings if warning.startswith("The site is not whole."))


def refuse(command: paper.PaperCommand, inputs: CommandInputs, text: str | None) -> Properties:
    """Fail as a step does."""
    raise Refused("the step failed")
