"""What every drill has: faults with clients at work, promises, and the way down."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from components.config.settings import Settings
from rehearsal import progress
from rehearsal.deploy.deployment import Deployment, DeploymentFailed
from rehearsal.drills import reachability
from rehearsal.drills.fault_window import HEAL_LIMIT, RETURN_LIMIT, FaultWindow
from rehearsal.drills.reachability import PortCheck
from rehearsal.drills.site import Site
from rehearsal.probes.base import Probe
from rehearsal.project import PROJECT
from rehearsal.region.control import RegionControl
from rehearsal.report.model import Check, FaultResult

WRITE_OUTAGE = 8.0
PAGE_OUTAGE = 12.0
"""Seconds: what a node's loss may cost writes, and pages."""


class Drill:
    """Breaks a site step by step and keeps what it saw; each kind of site has a subclass."""

    def __init__(self, deployment: Deployment, control: RegionControl) -> None:
        self.site = Site(deployment, control)
        self.deployment, self.control = deployment, control
        self.directory = f"{self.site.mount}/rehearsal"
        self.found: list[FaultResult] = []
        self.checks: list[Check] = []

    @classmethod
    def before(cls, settings: Settings) -> Sequence[Probe]:
        """Those who are served already while the first `up` runs; nobody is, where there was no site before."""
        return []

    def run(self) -> None:
        """All that leaves the site standing."""
        raise NotImplementedError

    def visitors(self) -> Sequence[Probe]:
        """Those who load pages while something breaks."""
        raise NotImplementedError

    def check(self, name: str, held: bool, measured: str, limit: str) -> None:
        self.checks.append(Check(name=name, held=held, measured=measured, limit=limit))

    def check_ports(self, inner: Sequence[PortCheck], outer: Sequence[PortCheck]) -> None:
        """Every port with something behind it is open to those who need it, and closed to all others."""
        wrong = reachability.wrong(self.control, inner, outer)
        self.check(
            "ports are open to those who need them and closed to others",
            not wrong,
            "; ".join(wrong) or "as they should be",
            "all",
        )

    def node_loss(self, node: str, while_away: Callable[[], None] = lambda: None) -> None:
        """One node loses power, stays away until the others serve again, and returns.

        `while_away`: what is done in between.
        """
        with self.watched(f"{node} loses power") as window:
            window.begin(self.control.power_off(node), f"{node} loses power")
            survivors = [probe for probe in window.probes if probe.name != node]
            window.wait(
                "everyone is served again",
                lambda: all(probe.succeeded_since(window.since + PAGE_OUTAGE) for probe in survivors),
            )
            window.end(survivors)
            while_away()
            self.control.power_on(node)
            window.mark(f"{node} has power again")
            window.wait(f"{node} serves again", lambda: self.site.healthy(node))
            serves = self.site.healthy(node)
            window.mark(f"{node} serves again" if serves else f"{node} does not serve")
            window.stop()
            window.heal()
        fault = self.found[-1]
        self.check(f"{node} serves again when it has power", serves, "it does" if serves else "it does not", "it does")
        self.expect("writes", fault.write_outage_seconds, WRITE_OUTAGE)
        self.expect("reads", fault.read_outage_seconds, WRITE_OUTAGE)
        self.expect("pages", fault.page_outage_seconds, PAGE_OUTAGE)

    def reboot_all(self) -> None:
        """All nodes reboot together; nobody logs in, and the site comes back."""
        with self.watched("all nodes reboot at once") as window:
            window.begin(time.time(), "all nodes reboot")
            for node in self.site.nodes:
                self.control.reboot(node)
            window.wait("the site is down", lambda: not any(map(self.site.healthy, self.site.nodes)))
            window.wait("the site is back", lambda: all(map(self.site.healthy, self.site.nodes)))
            window.mark("every node serves again")
            back = time.time()
            visitors = [probe for probe in window.probes if probe.kind == "page"]
            window.wait("visitors are served again", lambda: all(probe.succeeded_since(back) for probe in visitors))
            window.end(visitors)
            window.stop()
            window.heal()
        self.expect("pages", self.found[-1].page_outage_seconds, RETURN_LIMIT)

    def refused_destroy(self) -> None:
        """While data is protected, `destroy` does not get it."""
        with progress.step("Asking for a destroy, which has to be refused") as shown:
            try:
                self.deployment.destroy(shown)
                refused = False
            except DeploymentFailed as error:
                refused = "protect" in str(error)
        alive = all(map(self.site.healthy, self.site.nodes))
        self.check(
            "destroy is refused while data is protected",
            refused and alive,
            "refused" if refused else "not refused",
            "refused",
        )

    def way_down(self) -> None:
        """The operator's own way down: unprotect in the settings, `up`, `destroy`."""
        with progress.step("Unprotecting the data, then destroying") as shown:
            self.deployment.set(f"{PROJECT}:protect_data", "false")
            self.deployment.up(shown)
            self.deployment.destroy(shown)
            left = [*self.control.resource_ids(), *self.control.machines()]
        self.check("destroy leaves nothing in the cloud", not left, ", ".join(left) or "nothing", "nothing")

    def expect(self, what: str, seconds: float | None, limit: float) -> None:
        measured = "not measured" if seconds is None else f"{seconds:.1f} s"
        self.check(
            f"{self.found[-1].name}: {what}",
            seconds is not None and seconds <= limit,
            measured,
            f"at most {limit:.0f} s",
        )

    @contextmanager
    def watched(self, name: str) -> Iterator[FaultWindow]:
        """Have clients at work before, during and after a fault; afterwards look for every acknowledged write."""
        with progress.step(f"Fault: {name}") as shown:
            window = FaultWindow(self.site, self.visitors(), self.directory, shown)
            try:
                yield window
            finally:
                window.stop()
            fault = window.result(name)
        self.found.append(fault)
        self.check(
            f"{name}: acknowledged writes lost",
            fault.lost_acknowledged_writes == 0 and bool(fault.acknowledged_writes),
            f"{fault.lost_acknowledged_writes} of {fault.acknowledged_writes}",
            "0",
        )
        if fault.heal_seconds is not None:
            left = "a brick is away" if window.pending is None else f"{window.pending} entries are not"
            self.check(
                f"{name}: every brick healed",
                window.pending == 0,
                f"after {fault.heal_seconds:.1f} s" if window.pending == 0 else left,
                f"within {HEAL_LIMIT:.0f} s",
            )
