"""The common part of all attacks: their checks, their marks in the timeline, and the site that they attack."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import ClassVar

from rehearsal import progress
from rehearsal.drills.fault_window import RETURN_LIMIT, until
from rehearsal.drills.site import Site
from rehearsal.report.model import Check, FaultResult, Mark


class Attack:
    """One attack on a site. `name`: the fault's name in the report."""

    name: ClassVar[str]

    def __init__(self, site: Site) -> None:
        self.site, self.control = site, site.control
        self.since = time.time()
        """The moment from which the timeline counts, in seconds since the epoch."""
        self._marks: list[tuple[float, str]] = []
        self._checks: list[Check] = []

    def run(self) -> tuple[FaultResult, list[Check]]:
        """Attack the site; returns the attack's figures and the checks on them."""
        with progress.step(f"Fault: {self.name}") as self.step:
            result = self.cause()
        result.marks = [Mark(at=at - self.since, text=text) for at, text in self._marks]
        return result, self._checks

    def cause(self) -> FaultResult:
        """Attack, check the effects, and remove what the attack left; returns the figures."""
        raise NotImplementedError

    def mark(self, text: str) -> float:
        """Mark this moment in the timeline, and return it in seconds since the epoch."""
        self._marks.append((time.time(), text))
        return self._marks[-1][0]

    def wait(self, what: str, happened: Callable[[], bool], limit: float = RETURN_LIMIT, every: float = 0.2) -> bool:
        """Wait up to `limit` seconds for a condition; returns whether it came true. `what`: for the progress line."""
        self.step.detail(f"until {what}")
        return until(happened, limit, every)

    def check(self, name: str, passed: bool, measured: str, limit: str) -> None:
        """Add a check to the report."""
        self._checks.append(Check(fault=self.name, name=name, passed=passed, measured=measured, limit=limit))

    def check_none(self, name: str, found: list[str], limit: str = "none") -> None:
        """Check that nothing was found; the report names the first three."""
        more = f" and {len(found) - 3} more" if len(found) > 3 else ""
        self.check(name, not found, "; ".join(found[:3]) + more if found else limit, limit)
