"""The timeline of a fault: its time axis, and attempts merged to be drawn."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from dataclasses import dataclass

from rehearsal.report.model import PAUSE, Attempt, FaultResult

LABEL_WIDTH = 14
"""Percent of the time axis that the number of a mark takes on the screen of a phone."""


@dataclass(frozen=True)
class TimeAxis:
    """A time axis between two moments in seconds; positions and widths on it are percentages of its length."""

    first: float
    last: float

    @property
    def span(self) -> float:
        return max(self.last - self.first, 1)

    def position(self, at: float) -> float:
        return round((at - self.first) / self.span * 100, 3)

    def width(self, seconds: float) -> float:
        return round(seconds / self.span * 100, 3)

    def levels(self, moments: Iterable[float]) -> list[int]:
        """The line (0 is the highest) for the label of each moment, in order, so that no two labels overlap."""
        taken: list[float] = []
        levels: list[int] = []
        for position in map(self.position, moments):
            free = (level for level, last in enumerate(taken) if position - last >= LABEL_WIDTH)
            level = next(free, len(taken))
            taken[level : level + 1] = [position]
            levels.append(level)
        return levels

    @property
    def ticks(self) -> list[float]:
        """At most seven round numbers between the two moments."""
        steps = (digit * 10**zeros for zeros in itertools.count() for digit in (1, 2, 5))
        step = next(step for step in steps if self.span / step <= 6)
        first = -(-self.first // step) * step
        return [tick for count in range(7) if (tick := first + count * step) <= self.last]


def time_axis(fault: FaultResult) -> TimeAxis:
    """The axis from the first start of an attempt, or the first mark, to the last end or mark."""
    moments = [mark.at for mark in fault.marks]
    for lane in fault.timeline:
        moments += [moment for attempt in lane.attempts for moment in (attempt.at, attempt.end)]
    return TimeAxis(min(moments, default=0), max(moments, default=0))


def merge_attempts(attempts: Iterable[Attempt]) -> list[Attempt]:
    """Merge consecutive attempts with the same result and no pause between them into one attempt with their count.

    A slow attempt stays alone, because it may be the outage itself.
    """
    merged: list[Attempt] = []
    for attempt in sorted(attempts, key=lambda attempt: attempt.at):
        last = merged[-1] if merged else None
        if last and mergeable(last, attempt):
            longer = {"seconds": attempt.end - last.at, "count": last.count + attempt.count}
            merged[-1] = last.model_copy(update=longer)
        else:
            merged.append(attempt)
    return merged


def mergeable(attempt: Attempt, later: Attempt) -> bool:
    alike = (attempt.ok, attempt.error) == (later.ok, later.error)
    return alike and not attempt.slow and not later.slow and later.at - attempt.end <= PAUSE
