"""Clients at work before, during and after a fault, and the figures of that time."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from rehearsal import progress
from rehearsal.drills.site import Site
from rehearsal.probes.base import Probe, longest_outage
from rehearsal.probes.files import FileProbe
from rehearsal.report.model import FaultResult, Mark

RETURN_LIMIT = 120.0
"""Seconds after which a drill stops waiting for the site to recover."""
HEAL_LIMIT = 180.0
"""Seconds that a heal may take."""
HEAL_INFO_MAX = 20
"""`heal info` locks every entry it lists; call it only below this many."""
VERIFY_SCRIPT = (Path(__file__).parent.parent / "probes" / "agents" / "verify.py").read_text()


def until(happened: Callable[[], bool], limit: float, every: float) -> bool:
    """Wait up to `limit` seconds for a condition; returns whether it came true. `every`: seconds between two tests."""
    end = time.monotonic() + limit
    while not happened():
        if time.monotonic() >= end:
            return False
        time.sleep(every)
    return True


class FaultWindow:
    """The clients of one fault, from before it until the site has recovered.

    Construction waits until all bricks are healed from the fault before, and every client is served. `name`: the
    fault's. `directory`: the directory of the volume to write files in.
    """

    def __init__(self, name: str, site: Site, visitors: Sequence[Probe], directory: str, step: progress.Step) -> None:
        self.name, self.site, self.step = name, site, step
        self._directory = directory
        self.heal_limit = HEAL_LIMIT
        """Seconds that a heal may take."""
        self.wait_until_healed()
        self.probes = list(visitors)
        for node in site.roles.web:
            exec_prefix = site.control.exec_prefix(node)
            self.probes.append(FileProbe("read", node, exec_prefix, directory))
            self.probes.append(FileProbe("write", node, exec_prefix, directory))
        self.marks: list[tuple[float, str]] = []
        self.since = self.until = time.time()
        """Start and end of the time in which outages count, in seconds since the epoch: see `begin` and `end`."""
        self.heal_seconds: float | None = None
        self.pending: int | None = None
        """Entries that were not healed within the limit; None when a brick did not answer. See `measure_heal`."""
        self.up_seconds: float | None = None
        self.full_redundancy_seconds: float | None = None
        self._counted: Sequence[Probe] = []
        self.wait("every client is served", lambda: all(probe.succeeded_since(0) for probe in self.probes))

    def begin(self, moment: float, text: str) -> None:
        """Count outages from the fault's moment on, and mark it in the timeline."""
        self.since = moment
        self.marks.append((moment, text))

    def mark(self, text: str) -> None:
        """Mark this moment in the timeline."""
        self.marks.append((time.time(), text))

    def end(self, counted: Sequence[Probe]) -> None:
        """Count outages until now, and of these clients only."""
        self.until, self._counted = time.time(), counted

    def wait(self, what: str, happened: Callable[[], bool], limit: float = RETURN_LIMIT, every: float = 0.2) -> bool:
        """Wait up to `limit` seconds for a condition; returns whether it came true. `what`: for the progress line."""
        self.step.detail(f"until {what}")
        return until(happened, limit, every)

    def wait_until_healed(self) -> int | None:
        """Wait up to `heal_limit` seconds until no entry is pending.

        Returns the number of entries that are still pending; None when a brick does not answer.
        """
        pending: int | None = None

        def healed() -> bool:
            nonlocal pending
            pending = self.site.indexed_entries()
            if pending is not None and pending < HEAL_INFO_MAX:
                pending = self.site.pending_heals()
            return pending == 0

        self.wait("all bricks are healed", healed, self.heal_limit, every=0.5)
        return pending

    def measure_heal(self) -> None:
        """Wait for the heal after the fault, and keep its duration and the entries that it left."""
        begun = time.time()
        self.pending = self.wait_until_healed()
        self.heal_seconds = time.time() - begun
        self.mark("healed" if self.pending == 0 else "not healed")

    def stop(self) -> None:
        """Stop all clients."""
        for probe in self.probes:
            probe.stop()

    def lost_writes(self, written: dict[str, list[int]]) -> int:
        """The number of acknowledged writes that are missing or differ on any web node."""
        lost: set[tuple[str, int]] = set()
        for node in self.site.roles.web:
            answer = self.site.on(
                node, "python3", "-c", VERIFY_SCRIPT, self._directory, stdin=json.dumps(written), timeout=120
            )
            lost |= {(writer, number) for writer, numbers in json.loads(answer).items() for number in numbers}
        return len(lost)

    def result(self) -> FaultResult:
        """The fault's figures, after `stop`. Reads every acknowledged write back from every web node."""
        written = {probe.writer: probe.acknowledged for probe in self.probes if isinstance(probe, FileProbe)}
        return FaultResult(
            name=self.name,
            read_outage_seconds=longest_outage(self._counted, "read", self.since, self.until),
            write_outage_seconds=longest_outage(self._counted, "write", self.since, self.until),
            page_outage_seconds=longest_outage(self._counted, "page", self.since, self.until),
            acknowledged_writes=sum(map(len, written.values())),
            lost_acknowledged_writes=self.lost_writes(written),
            heal_seconds=self.heal_seconds,
            up_seconds=self.up_seconds,
            full_redundancy_seconds=self.full_redundancy_seconds,
            marks=[Mark(at=at - self.since, text=text) for at, text in self.marks],
            timeline=[probe.lane(self.since) for probe in self.probes],
        )
