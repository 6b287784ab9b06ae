"""Clients that repeat one operation without a pause and keep the result of every attempt."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal

from rehearsal.report import model

ProbeKind = Literal["read", "write", "page", "address"]


@dataclass(frozen=True)
class Attempt:
    """One attempt; `start` in seconds since the epoch, `error` None when it succeeded."""

    start: float
    seconds: float
    error: str | None

    @property
    def end(self) -> float:
        return self.start + self.seconds


@dataclass
class Probe:
    """A client that is at work from its construction until `stop`.

    `kind`: what it does. `name`: which client of its kind it is. `acknowledged`: the numbers of the writes or visits
    that the site confirmed.
    """

    kind: ProbeKind
    name: str
    attempts: list[Attempt] = field(default_factory=list)
    acknowledged: list[int] = field(default_factory=list)

    def outage(self, since: float, until: float) -> float:
        """The longest time in seconds without a successful attempt between two moments."""
        successes = sorted(
            attempt.end for attempt in self.attempts if attempt.error is None and since <= attempt.end <= until
        )
        moments = [since, *successes, until]
        return max(later - earlier for earlier, later in itertools.pairwise(moments))

    def lane(self, moment: float) -> model.Lane:
        """All attempts, as the report's timeline shows them; times count from `moment`."""
        attempts = [
            model.Attempt(at=a.start - moment, seconds=a.seconds, ok=a.error is None, error=a.error)
            for a in self.attempts
        ]
        return model.Lane(kind=self.kind, client=self.name, attempts=attempts)

    def succeeded_since(self, moment: float) -> bool:
        return any(attempt.error is None and attempt.start >= moment for attempt in list(self.attempts))

    def stop(self) -> None:
        """End the client and wait until its last attempt is in `attempts`; a second call does nothing."""
        raise NotImplementedError


def longest_outage(probes: Iterable[Probe], kind: ProbeKind, since: float, until: float) -> float | None:
    """The longest outage in seconds that any client of a kind saw; None when there was no such client."""
    outages = [probe.outage(since, until) for probe in probes if probe.kind == kind]
    return max(outages) if outages else None
