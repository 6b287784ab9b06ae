"""The axis of time under a picture."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from dataclasses import dataclass

CLEAR = 7
"""Percent of a picture's width that a mark's number takes on a telephone."""


@dataclass(frozen=True)
class Timeline:
    """From one moment to another, in seconds; places on it are percentages of its width."""

    first: float
    last: float

    @property
    def span(self) -> float:
        return max(self.last - self.first, 1)

    def place(self, at: float) -> float:
        return round((at - self.first) / self.span * 100, 3)

    def width(self, seconds: float) -> float:
        return round(seconds / self.span * 100, 3)

    def levels(self, moments: Iterable[float]) -> list[int]:
        """How many lines down to write something at each moment, in order, to keep it clear of its neighbours."""
        taken: list[float] = []
        levels: list[int] = []
        for place in map(self.place, moments):
            free = (level for level, last in enumerate(taken) if place - last >= CLEAR)
            level = next(free, len(taken))
            taken[level : level + 1] = [place]
            levels.append(level)
        return levels

    @property
    def ticks(self) -> list[float]:
        """At most seven round numbers."""
        steps = (digit * 10**zeros for zeros in itertools.count() for digit in (1, 2, 5))
        step = next(step for step in steps if self.span / step <= 6)
        first = -(-self.first // step) * step
        return [tick for count in range(7) if (tick := first + count * step) <= self.last]
