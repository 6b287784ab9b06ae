"""The common part of every drill: faults with clients at work, checks of their figures, and the destroy at the end."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial

from components.config.settings import Settings
from rehearsal import progress
from rehearsal.deploy.deployment import Deployment, DeploymentFailed
from rehearsal.drills import reachability
from rehearsal.drills.attacks.base import Attack
from rehearsal.drills.fault_window import RETURN_LIMIT, FaultWindow
from rehearsal.drills.reachability import PortCheck
from rehearsal.drills.site import Site
from rehearsal.probes.base import Probe
from rehearsal.project import PROJECT
from rehearsal.region.control import RegionControl
from rehearsal.report.model import Check, FaultResult

WRITE_OUTAGE = 8.0
"""Seconds that the loss of one node may stop reads and writes."""
PAGE_OUTAGE = 12.0
"""Seconds that the loss of one node may stop pages."""
REPLACEMENT_LIMIT = 600.0
"""Seconds until a new machine serves, and then until its brick is healed."""

REBOOT_OF_ALL = "all nodes reboot at once"
POWER_LOSS_OF_ALL = "all nodes lose power at once"


def node_loss_name(node: str) -> str:
    """The name of the fault that cuts one node's power."""
    return f"{node} loses power"


def machine_loss_name(node: str, *, with_disk: bool) -> str:
    """The name of the fault that loses one node's machine for good, and its data disk if `with_disk`."""
    return f"{node} and its disk are gone" if with_disk else f"{node} is gone"


class UnknownPartError(ValueError):
    """A drill has no part of this name; the message lists the names."""


class Drill:
    """Causes faults in a running site; `faults` and `checks` collect the figures for the report.

    Each kind of site has a subclass, which lists its faults in `parts`.
    """

    def __init__(self, deployment: Deployment, control: RegionControl) -> None:
        self.site = Site(deployment, control)
        self.deployment, self.control = deployment, control
        self.faults: list[FaultResult] = []
        self.checks: list[Check] = []
        self.stand_ins: list[str] = []
        """What the drill itself has put in the place of something real, for the report's list."""

    @classmethod
    def migration_visitors(cls, settings: Settings) -> Sequence[Probe]:
        """Visitors of the site that exists before the first `up`; none when the stack creates the site."""
        return []

    def parts(self) -> Mapping[str, Callable[[], object]]:
        """The drill's faults and checks by name, in order; each leaves the site deployed.

        Their names are known before the site is deployed.
        """
        raise NotImplementedError

    @property
    def directory(self) -> str:
        """The volume's directory that the clients work in."""
        return f"{self.site.mount}/rehearsal"

    def run(self, only: Collection[str] = ()) -> None:
        """Run every part of the drill, or only those with these names. Raises `UnknownPartError`."""
        for part in self.named_parts(only):
            part()

    def named_parts(self, names: Collection[str]) -> list[Callable[[], object]]:
        """The parts with these names, or all if there are none, in the drill's order. Raises `UnknownPartError`."""
        parts = self.parts()
        if unknown := sorted({*names} - parts.keys()):
            raise UnknownPartError(f"the drill has no part {' or '.join(unknown)}; its parts: {', '.join(parts)}")
        return [part for name, part in parts.items() if not names or name in names]

    def visitors(self) -> Sequence[Probe]:
        """New visitors for one fault, at work from their construction."""
        raise NotImplementedError

    def check(self, name: str, passed: bool, measured: str, limit: str, *, fault: str | None = None) -> None:
        """Add a check to the report; `fault`: the name of the fault that it belongs to."""
        self.checks.append(Check(fault=fault, name=name, passed=passed, measured=measured, limit=limit))

    def check_outage(self, fault: FaultResult, name: str, seconds: float | None, limit: float) -> None:
        """Check one of a fault's outages against a limit; an outage of None was not measured, so the check fails.

        Both times are in seconds.
        """
        measured = "not measured" if seconds is None else f"{seconds:.1f} s"
        passed = seconds is not None and seconds <= limit
        self.check(name, passed, measured, f"<= {limit:.0f} s", fault=fault.name)

    def check_ports(self, inner: Sequence[PortCheck], outer: Sequence[PortCheck]) -> None:
        """Check that ports are open to the hosts that need them, and closed to all others."""
        violations = reachability.violations(self.control, inner, outer)
        self.check("ports open only to hosts that need them", not violations, "; ".join(violations) or "yes", "yes")

    def losses_of(self, *nodes: str) -> Mapping[str, Callable[[], object]]:
        """The losses of single nodes, as parts of a drill."""
        return {node_loss_name(node): partial(self.node_loss, node) for node in nodes}

    def node_loss(self, node: str, while_off: Callable[[], None] = lambda: None) -> FaultResult:
        """Cut the power of one node, wait until the others serve, and power it on again.

        `while_off` is called when the others serve and the node is still off.
        """
        with self.fault_window(node_loss_name(node)) as window:
            window.begin(self.control.power_off(node), f"{node} loses power")
            survivors = self.survivors(window, node)
            window.end(survivors)
            while_off()
            self.control.power_on(node)
            window.mark(f"{node} has power again")
            window.wait(f"{node} serves again", lambda: self.site.healthy(node))
            serves = self.site.healthy(node)
            window.mark(f"{node} serves again" if serves else f"{node} does not serve")
            window.stop()
            window.measure_heal()
            result = self.conclude(window)
        self.check("serves again after power-on", serves, "yes" if serves else "no", "yes", fault=result.name)
        self.check_outages(result)
        return result

    def machine_losses_of(self, *nodes: str) -> Mapping[str, Callable[[], object]]:
        """The losses of single nodes for good, as parts of a drill; of a node with a brick also without its disk."""
        return {
            machine_loss_name(node, with_disk=with_disk): partial(self.machine_loss, node, with_disk=with_disk)
            for node in nodes
            for with_disk in ([False, True] if node in self.site.roles.bricks else [False])
        }

    def machine_loss(self, node: str, *, with_disk: bool) -> None:
        """Lose one node's machine for good, and its data disk if `with_disk`; `pulumi refresh` and `up` replace it."""
        with self.fault_window(machine_loss_name(node, with_disk=with_disk)) as window:
            window.begin(self.control.power_off(node), f"{node} is gone")
            if with_disk:
                self.control.lose_disks(node)
            self.control.lose_machine(node)
            survivors = self.survivors(window, node)
            self.deployment.refresh(window.step)
            self.replacement(window, node, survivors)

    def replacement(self, window: FaultWindow, node: str, survivors: Sequence[Probe]) -> None:
        """Replace a lost node by `pulumi up`, wait until all bricks are healed, and check the site.

        `survivors`: the clients whose outages count.
        """
        begun = time.time()
        window.mark("pulumi up begins")
        window.up_seconds = self.deployment.up(window.step).seconds
        self.site.read_outputs()
        window.mark("pulumi up has ended")
        window.wait(f"{node} serves again", lambda: self.site.healthy(node), REPLACEMENT_LIMIT)
        serves = self.site.healthy(node)
        window.mark(f"{node} serves again" if serves else f"{node} does not serve")
        window.end(survivors)
        window.stop()
        window.heal_limit = REPLACEMENT_LIMIT
        window.measure_heal()
        window.full_redundancy_seconds = time.time() - begun
        changes = self.deployment.up(window.step).changes
        result = self.conclude(window)
        self.check("serves again on a new machine", serves, "yes" if serves else "no", "yes", fault=result.name)
        self.check_outages(result)
        self.check("resources changed by a second up", not changes, ", ".join(changes) or "0", "0", fault=result.name)
        if node in self.site.roles.bricks:
            self.check_brick(node, result)

    def survivors(self, window: FaultWindow, node: str) -> Sequence[Probe]:
        """Wait until all clients except those on a lost node are served again, and return them."""
        survivors = [probe for probe in window.probes if probe.name != node]
        window.wait(
            "all other clients are served again",
            lambda: all(probe.succeeded_since(window.since + PAGE_OUTAGE) for probe in survivors),
        )
        return survivors

    def check_outages(self, result: FaultResult) -> None:
        """Check the outages of a fault that takes one node away."""
        self.check_outage(result, "write outage", result.write_outage_seconds, WRITE_OUTAGE)
        self.check_outage(result, "read outage", result.read_outage_seconds, WRITE_OUTAGE)
        self.check_outage(result, "page outage", result.page_outage_seconds, PAGE_OUTAGE)

    def check_brick(self, node: str, result: FaultResult) -> None:
        """Check that a node's brick holds the files of another brick; the files of an arbiter have no contents."""
        first, second, *_ = self.site.roles.bricks
        other = second if node == first else first
        expected, found = (self.site.checksums(brick, self.directory).splitlines() for brick in (other, node))
        if node in self.site.arbiters:
            expected, found = ([line.split(maxsplit=1)[1] for line in lines] for lines in (expected, found))
        different = {*expected} ^ {*found}
        self.check(
            "files that differ between its brick and another",
            not different and bool(expected),
            f"{len(different):,} of {len(expected):,}",
            "0",
            fault=result.name,
        )

    def reboot_all(self) -> FaultResult:
        """Reboot all nodes at once; the site must return without an operator."""
        with self.fault_window(REBOOT_OF_ALL) as window:
            window.begin(time.time(), "all nodes reboot")
            for node in self.site.nodes:
                self.control.reboot(node)
            window.wait("the site is down", lambda: not any(map(self.site.healthy, self.site.nodes)))
            return self.return_of_all(window)

    def power_loss_of_all(self) -> FaultResult:
        """Cut the power of all nodes together, and power them on; no acknowledged write may be lost."""
        with self.fault_window(POWER_LOSS_OF_ALL) as window:
            window.begin(self.control.power_off(*self.site.nodes), "all nodes lose power")
            for node in self.site.nodes:
                self.control.power_on(node)
            window.mark("all nodes have power again")
            return self.return_of_all(window)

    def power_loss_after_up(self) -> None:
        """Cut the power of all nodes as the drill's first fault; every file of the `up` must be on the disks."""
        before = {node: self.site.checksums(node, self.directory) for node in self.site.roles.bricks}
        result = self.power_loss_of_all()
        damaged = [f"{node}: {file}" for node in before for file in self.site.differing(node, before[node])]
        files = sum(len(checksums.splitlines()) for checksums in before.values())
        self.check(
            "files lost or changed",
            not damaged and files > 0,
            f"{len(damaged):,} of {files:,}" + (f", such as {damaged[0]}" if damaged else ""),
            "0",
            fault=result.name,
        )

    def return_of_all(self, window: FaultWindow) -> FaultResult:
        """Wait until all nodes, which are down, serve again without an operator, and check the outage."""
        window.wait("every node serves again", lambda: all(map(self.site.healthy, self.site.nodes)))
        window.mark("every node serves again")
        back = time.time()
        visitors = [probe for probe in window.probes if probe.kind == "page"]
        window.wait("visitors are served again", lambda: all(probe.succeeded_since(back) for probe in visitors))
        result = self.conclude_healed(window, visitors)
        self.check_outage(result, "page outage", result.page_outage_seconds, RETURN_LIMIT)
        return result

    def refused_destroy(self) -> None:
        """Try to destroy the stack while its data is protected; the engine must refuse and the site must run on."""
        with progress.step("Trying to destroy protected data, which must be refused") as step:
            try:
                self.deployment.destroy(step)
                refused = False
            except DeploymentFailed as error:
                refused = "protect" in str(error)
        down = [node for node in self.site.nodes if not self.site.healthy(node)]
        measured = f"{', '.join(down)} down" if down else "yes" if refused else "no"
        self.check("destroy refused while data is protected", refused and not down, measured, "yes")

    def destroy(self) -> None:
        """Destroy the site as an operator does: unprotect the data in the settings, `up`, `destroy`."""
        with progress.step("Unprotecting the data, then destroying the stack") as step:
            self.deployment.set(f"{PROJECT}:protect_data", "false")
            self.deployment.up(step)
            self.deployment.destroy(step)
            left = self.left_in_cloud()
        self.check("left in the cloud after destroy", not left, ", ".join(left) or "nothing", "nothing")

    def left_in_cloud(self) -> list[str]:
        """The resources and machines that a destroyed stack has left, without those that outlive it."""
        resources = [each for each in self.control.resource_ids() if not self.outlives(each)]
        return [*resources, *self.control.machines()]

    def outlives(self, resource_id: str) -> bool:
        """Whether a resource of the cloud stays when the stack is destroyed."""
        return False

    @contextmanager
    def fault_window(self, name: str) -> Iterator[FaultWindow]:
        """A fault's window whose clients work until `conclude`, or until the end of the block."""
        with progress.step(f"Fault: {name}") as step:
            window = FaultWindow(name, self.site, self.visitors(), self.directory, step)
            try:
                yield window
            finally:
                window.stop()

    def conclude_healed(self, window: FaultWindow, clients: Sequence[Probe]) -> FaultResult:
        """Stop the clients, which are served again, wait until all bricks are healed, and conclude.

        `clients`: those whose outages count.
        """
        window.end(clients)
        window.stop()
        window.measure_heal()
        return self.conclude(window)

    def conclude(self, window: FaultWindow) -> FaultResult:
        """Stop the clients, add the fault's figures and their checks to the report, and return the figures."""
        window.stop()
        result = window.result()
        self.faults.append(result)
        self.check_writes(window, result)
        return result

    def attack(self, attack: Attack) -> None:
        """Attack the site; the report gets the attack's figures and checks."""
        result, checks = attack.run()
        self.faults.append(result)
        self.checks += checks

    def check_writes(self, window: FaultWindow, result: FaultResult) -> None:
        """Check that no acknowledged write is lost and, if the heal was measured, that all bricks healed in time."""
        lost, acknowledged = result.lost_acknowledged_writes, result.acknowledged_writes
        self.check(
            "acknowledged writes lost",
            lost == 0 and bool(acknowledged),
            f"{lost:,} of {acknowledged:,}",
            "0",
            fault=result.name,
        )
        if window.heal_seconds is not None:
            unhealed = "a brick does not answer" if window.pending is None else f"{window.pending:,} entries pending"
            self.check(
                "heal of all bricks",
                window.pending == 0,
                f"{window.heal_seconds:.1f} s" if window.pending == 0 else unhealed,
                f"<= {window.heal_limit:.0f} s",
                fault=result.name,
            )
