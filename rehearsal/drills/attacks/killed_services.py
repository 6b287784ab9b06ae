"""SIGKILL to the main process of each service, as the kernel sends it when memory runs out."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from rehearsal.drills.attacks.base import Attack
from rehearsal.drills.site import NODE_DOWN_ERRORS, Site
from rehearsal.probes.base import Attempt, Probe
from rehearsal.report.model import FaultResult, Seconds

RETURN = 5.0
"""Seconds from the kill until systemd has the service back."""
GIVE_UP = 20.0
"""Seconds after which the drill stops waiting for a service."""
ANSWERS = {"fail2ban.service": ("fail2ban-client", "ping")}
"""Commands that succeed when a unit answers whose start systemd does not follow; `healthy` covers the others."""


class KilledServicesResult(FaultResult):
    """Figures of the kills."""

    slowest_return_seconds: Seconds | None
    """The slowest return of a service; None when one did not return."""
    pages: int
    """Pages that the visitors loaded meanwhile."""
    failed_pages: int


class KilledServices(Attack):
    """Each service is killed on one node and must return by itself, while visitors load pages.

    `services`: a node and a pattern of a unit's name each. `visitors`: starts the visitors. `failing`: seconds after a
    kill within which a page may fail: it was under way, or systemd has not noticed the end yet.
    """

    name = "killed services"

    def __init__(
        self,
        site: Site,
        services: Sequence[tuple[str, str]],
        visitors: Callable[[], Sequence[Probe]],
        failing: float = 0.5,
    ) -> None:
        super().__init__(site)
        self._services, self._start_visitors, self._failing = services, visitors, failing

    def cause(self) -> FaultResult:
        self._visitors = self._start_visitors()
        try:
            self.wait("every visitor is served", lambda: all(visitor.succeeded_since(0) for visitor in self._visitors))
            self.since = time.time()
            returns = [self._kill(node, pattern) for node, pattern in self._services]
        finally:
            for visitor in self._visitors:
                visitor.stop()
        attempts = [attempt for attempt in self._pages() if attempt.start >= self.since]
        return KilledServicesResult(
            name=self.name,
            slowest_return_seconds=None if None in returns else max(filter(None, returns)),
            pages=len(attempts),
            failed_pages=sum(attempt.error is not None for attempt in attempts),
            timeline=[visitor.lane(self.since) for visitor in self._visitors],
        )

    def _kill(self, node: str, pattern: str) -> float | None:
        """Kill one service and check its return and the visitors' pages; returns the seconds until it is back."""
        unit = self._unit(node, pattern)
        if not unit:
            self.check(f"{pattern} runs on {node}", False, "no", "yes")
            return None
        killed, _ = self._state(node, unit)
        begun = self.mark(f"{unit} is killed on {node}")
        self.site.on(node, "systemctl", "kill", "--signal=KILL", "--kill-whom=main", unit)
        back = self.wait(f"{unit} is back", lambda: self._back(node, unit, killed), GIVE_UP, every=0.1)
        seconds = self.mark(f"{unit} is back" if back else f"{unit} does not return") - begun
        # the requests that were under way at the kill have ended by then
        self.wait(
            "every visitor is served again", lambda: all(v.succeeded_since(begun + seconds) for v in self._visitors)
        )
        failures = [
            max(0.0, attempt.start - begun) for attempt in self._pages() if attempt.error and attempt.end >= begun
        ]
        last = max(failures, default=0.0)
        name = unit.removesuffix(".service")
        self.check(
            f"{name} is back", back and seconds <= RETURN, f"{seconds:.1f} s" if back else "no", f"<= {RETURN:.0f} s"
        )
        self.check(
            f"last failed page after {name}'s kill",
            last <= self._failing,
            f"{last:.1f} s" if failures else "none",
            f"<= {self._failing:g} s",
        )
        return seconds if back else None

    def _pages(self) -> list[Attempt]:
        """The pages that the visitors have loaded, or tried to."""
        return [attempt for visitor in self._visitors if visitor.kind == "page" for attempt in list(visitor.attempts)]

    def _unit(self, node: str, pattern: str) -> str:
        """The unit that matches a pattern and runs on a node; empty when there is none."""
        listed = self.site.on(node, "systemctl", "list-units", "--plain", "--no-legend", "--state=active", pattern)
        return listed.split()[0] if listed.strip() else ""

    def _state(self, node: str, unit: str) -> tuple[str, str]:
        """The process id of a unit's main process, `0` without one, and the unit's state."""
        shown = self.site.on(node, "systemctl", "show", "--property=MainPID", "--property=ActiveState", "--value", unit)
        process, state = sorted(shown.split())
        return process, state

    def _back(self, node: str, unit: str, killed: str) -> bool:
        """Whether a unit is active again, with another main process, and answers, and its node serves."""
        process, state = self._state(node, unit)
        if state != "active" or process in (killed, "0") or not self.site.healthy(node):
            return False
        try:
            self.site.on(node, *ANSWERS.get(unit, ("true",)))
        except NODE_DOWN_ERRORS:
            return False
        return True
