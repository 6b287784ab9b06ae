"""Clients at work before, during and after a fault."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from rehearsal import progress
from rehearsal.drills.site import Site
from rehearsal.probes.base import FileProbe, Probe, worst
from rehearsal.report.model import FaultResult, Mark

RETURN_LIMIT = 120.0
HEAL_LIMIT = 180.0
HEAL_INFO_MAX = 20
"""Entries that may be looked at, each of which the bricks lock for that: a heal of many would wait for it."""
VERIFY_SCRIPT = (Path(__file__).parent.parent / "probes" / "agents" / "verify.py").read_text()


def until(happened: Callable[[], bool], limit: float, every: float) -> bool:
    """Whether something happens within `limit` seconds, looked for `every` so many."""
    end = time.monotonic() + limit
    while not happened():
        if time.monotonic() >= end:
            return False
        time.sleep(every)
    return True


class FaultWindow:
    """The clients of one fault and what happened to them. `directory`: of the volume, where files are written."""

    def __init__(self, site: Site, visitors: Sequence[Probe], directory: str, shown: progress.Step) -> None:
        self.site, self._shown, self._directory = site, shown, directory
        # nobody would wait for a brick that is not back yet from the fault before
        self._healed()
        self.probes = list(visitors)
        for node in site.roles.web:
            exec_prefix = site.control.exec_prefix(node)
            self.probes.append(FileProbe("read", node, exec_prefix, directory))
            self.probes.append(FileProbe("write", node, exec_prefix, directory))
        self.marks: list[tuple[float, str]] = []
        self.since = self.until = time.time()
        self.heal_seconds: float | None = None
        self.pending: int | None = None
        """Entries that were not healed in time; None when a brick did not answer."""
        self._counted: list[Probe] = []
        self.wait("every client is served", lambda: all(probe.succeeded_since(0) for probe in self.probes))

    def begin(self, moment: float, text: str) -> None:
        self.since = moment
        self.marks.append((moment, text))

    def mark(self, text: str) -> None:
        self.marks.append((time.time(), text))

    def end(self, counted: list[Probe]) -> None:
        """The outage is over: what these clients saw until now is the measure."""
        self.until, self._counted = time.time(), counted

    def wait(self, what: str, happened: Callable[[], bool], limit: float = RETURN_LIMIT, every: float = 0.2) -> None:
        """Wait for something to happen; what never does is cut off at `limit` seconds and shows in the figures."""
        self._shown.detail(f"until {what}")
        until(happened, limit, every)

    def heal(self) -> None:
        begun = time.time()
        self._healed()
        self.heal_seconds, self.pending = time.time() - begun, self.site.pending_heals()
        self.mark("healed" if self.pending == 0 else "not healed")

    def _healed(self) -> None:
        self.wait("nothing is pending on any brick", self._all_healed, HEAL_LIMIT, every=0.5)

    def _all_healed(self) -> bool:
        named = self.site.entries_named()
        return named is not None and named < HEAL_INFO_MAX and self.site.pending_heals() == 0

    def stop(self) -> None:
        for probe in self.probes:
            probe.stop()

    def lost(self, written: dict[str, list[int]]) -> int:
        """How many acknowledged writes some web node no longer has, byte for byte."""
        missing: set[tuple[str, int]] = set()
        for node in self.site.roles.web:
            answer = self.site.on(
                node, "python3", "-c", VERIFY_SCRIPT, self._directory, stdin=json.dumps(written), timeout=120
            )
            missing |= {(writer, number) for writer, numbers in json.loads(answer).items() for number in numbers}
        return len(missing)

    def result(self, name: str) -> FaultResult:
        written = {probe.writer: probe.acknowledged for probe in self.probes if isinstance(probe, FileProbe)}
        outage = {kind: worst(self._counted, kind, self.since, self.until) for kind in ("read", "write", "page")}
        return FaultResult(
            name=name,
            read_outage_seconds=outage["read"],
            write_outage_seconds=outage["write"],
            page_outage_seconds=outage["page"],
            acknowledged_writes=sum(map(len, written.values())),
            lost_acknowledged_writes=self.lost(written),
            heal_seconds=self.heal_seconds,
            marks=[Mark(at=at - self.since, text=text) for at, text in self.marks],
            timeline=[probe.lane(self.since) for probe in self.probes],
        )
