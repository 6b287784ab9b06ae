"""The data of a report: what a rehearsal measured, and the checks on it."""

from __future__ import annotations

import itertools
from collections import Counter
from datetime import UTC, datetime
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, PlainSerializer, SerializeAsAny

PAUSE = 0.5
"""Seconds. A longer attempt is slow; a client was idle between two attempts that are further apart."""

Seconds = Annotated[float, PlainSerializer(lambda seconds: round(seconds, 3), return_type=float)]
"""A time in seconds, written to the millisecond: the clients' clocks are no more exact."""


class Attempt(BaseModel):
    """One request of a client, or `count` consecutive ones with the same result (see `merge_attempts`).

    `at` is the start in seconds after the fault began, `seconds` the duration, `error` the reason of a failure.
    """

    at: Seconds
    seconds: Seconds
    ok: bool
    error: str | None = None
    count: int = 1

    @property
    def end(self) -> float:
        return self.at + self.seconds

    @property
    def slow(self) -> bool:
        return self.count == 1 and self.seconds > PAUSE


class Lane(BaseModel):
    """A client's lane in a timeline: all its attempts.

    `kind` is read, write, page or address; `client` names the client, for example `gfs2` or `visitor 1`.
    """

    kind: str
    client: str
    attempts: list[Attempt]

    @property
    def errors(self) -> Counter[str]:
        """The number of failed attempts for each error."""
        errors: Counter[str] = Counter()
        for attempt in self.attempts:
            if not attempt.ok:
                errors[attempt.error or "failed"] += attempt.count
        return errors

    @property
    def outage(self) -> tuple[float, float]:
        """Start and end, in seconds, of the longest time without a good answer between the fault and the last attempt.

        Merged attempts count as served without a gap: the outage lies before or after them.
        """
        served = [attempt for attempt in self.attempts if attempt.ok and attempt.end >= 0]
        spans = sorted((attempt.at if attempt.count > 1 else attempt.end, attempt.end) for attempt in served)
        until = max([0.0, *(attempt.end for attempt in self.attempts)])
        gaps = itertools.pairwise([(0.0, 0.0), *spans, (until, until)])
        return max(((end, max(start, end)) for (_, end), (start, _) in gaps), key=lambda gap: gap[1] - gap[0])

    @property
    def longest_outage(self) -> float:
        """The duration of `outage` in seconds."""
        start, end = self.outage
        return end - start


class Mark(BaseModel):
    """An event `at` seconds after the fault began, for example `gfs1 has power again`."""

    at: Seconds
    text: str


class FaultResult(BaseModel):
    """The figures and the timeline of one fault; a figure is None where the fault has none of its kind.

    A fault with figures of its own is a subclass with a field for each. The end of a field's name is its unit:
    `_seconds`, `_ms`, or none for a count; the report shows every figure.
    """

    model_config = ConfigDict(extra="allow")

    name: str
    read_outage_seconds: Seconds | None = None
    write_outage_seconds: Seconds | None = None
    page_outage_seconds: Seconds | None = None
    acknowledged_writes: int | None = None
    lost_acknowledged_writes: int | None = None
    heal_seconds: Seconds | None = None
    up_seconds: Seconds | None = None
    """Duration of the `up` that replaced or changed machines."""
    full_redundancy_seconds: Seconds | None = None
    """Time from the start of that `up` until the last entry was healed."""
    marks: list[Mark] = []
    timeline: list[Lane] = []


class Check(BaseModel):
    """A condition of the rehearsal: what was measured, the limit, and the fault it belongs to (None: no fault)."""

    fault: str | None = None
    name: str
    passed: bool
    measured: str
    limit: str

    @property
    def title(self) -> str:
        """The name with its fault, for a list that is not grouped by fault."""
        return f"{self.fault}: {self.name}" if self.fault else self.name


class PathStep(BaseModel):
    """A resource on the critical path, and the seconds that it added to the whole."""

    resource: str
    seconds: Seconds


class GraphNode(BaseModel):
    """A resource that `up` created: its start and end in seconds since `up` began, and the resources it waited for."""

    resource: str
    type: str
    start: Seconds
    end: Seconds
    waits_for: list[str]


class Report(BaseModel):
    """The result of one stack's rehearsal.

    `stand_ins` names what was not the real thing, `up_seconds` is the time from nothing to a running site, and
    `second_up_changes` counts the resources that a second `up` changed.
    """

    stack: str
    finished: datetime = Field(default_factory=lambda: datetime.now(UTC))
    stand_ins: list[str]
    up_seconds: Seconds
    critical_path: list[PathStep]
    critical_path_seconds: Seconds
    second_up_changes: int
    faults: list[SerializeAsAny[FaultResult]] = []
    checks: list[Check] = []
    graph: list[GraphNode] = []

    @property
    def failed(self) -> list[Check]:
        return [check for check in self.checks if not check.passed]

    @property
    def ok(self) -> bool:
        return not self.failed

    @property
    def verdict(self) -> str:
        counted, word = (self.checks, "passed") if self.ok else (self.failed, "failed")
        return f"{len(counted)} of {len(self.checks)} checks {word}"

    @property
    def checks_by_fault(self) -> dict[str | None, list[Check]]:
        """The checks of each fault, in the order of the rehearsal, but failed ones first; None: checks of no fault."""
        groups: dict[str | None, list[Check]] = {check.fault: [] for check in self.checks}
        for check in sorted(self.checks, key=lambda check: check.passed):
            groups[check.fault].append(check)
        return groups
