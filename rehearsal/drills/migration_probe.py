"""Visitors of an existing site while the first `up` migrates it onto the volume."""

from __future__ import annotations

import time
from collections.abc import Sequence
from types import TracebackType

from rehearsal.probes.base import Probe, longest_outage
from rehearsal.report.model import Check, FaultResult

MIGRATION_OUTAGE = 10.0
"""Seconds that pages may be out while the site migrates onto the volume."""


class MigrationProbe:
    """Measures the page outage during the block, which runs the first `up`.

    `visitors`: clients of the existing site, already at work; empty when the stack creates the site. Afterwards,
    `faults` and `checks` hold the figures for the report; both stay empty without visitors.
    """

    def __init__(self, visitors: Sequence[Probe]) -> None:
        self._visitors = visitors
        self.faults: list[FaultResult] = []
        self.checks: list[Check] = []

    def __enter__(self) -> MigrationProbe:
        self._since = time.time()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for visitor in self._visitors:
            visitor.stop()
        outage = longest_outage(self._visitors, "page", self._since, time.time())
        if outage is None:
            return
        name = "the site migrates onto the volume"
        timeline = [visitor.lane(self._since) for visitor in self._visitors]
        self.faults.append(FaultResult(name=name, page_outage_seconds=outage, timeline=timeline))
        self.checks.append(
            Check(
                fault=name,
                name="page outage",
                passed=outage <= MIGRATION_OUTAGE,
                measured=f"{outage:.1f} s",
                limit=f"<= {MIGRATION_OUTAGE:.0f} s",
            )
        )
