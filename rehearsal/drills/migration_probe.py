"""Visitors of a site that was there before the stack."""

from __future__ import annotations

import time
from collections.abc import Sequence
from types import TracebackType

from rehearsal.probes.base import Probe, worst
from rehearsal.report.model import Check, FaultResult

MIGRATION_OUTAGE = 10.0
"""Seconds that a site may be away from its visitors while it moves onto the volume."""


class MigrationProbe:
    """Lets visitors load pages while the block runs, which is the first `up`: `found` is what they saw of it."""

    def __init__(self, visitors: Sequence[Probe]) -> None:
        self._visitors = visitors
        self.found: list[FaultResult] = []
        self.checks: list[Check] = []

    def __enter__(self) -> MigrationProbe:
        self._since = time.time()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for visitor in self._visitors:
            visitor.stop()
        outage = worst(self._visitors, "page", self._since, time.time())
        if outage is None:
            return
        name = "the site moves onto the volume"
        timeline = [visitor.lane(self._since) for visitor in self._visitors]
        self.found.append(FaultResult(name=name, page_outage_seconds=outage, timeline=timeline))
        self.checks.append(
            Check(
                name=f"{name}: pages",
                held=outage <= MIGRATION_OUTAGE,
                measured=f"{outage:.1f} s",
                limit=f"at most {MIGRATION_OUTAGE:.0f} s",
            )
        )
