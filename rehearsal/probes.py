"""Clients that read, write and fetch pages without a pause, and keep how each attempt went."""

from __future__ import annotations

import contextlib
import itertools
import json
import subprocess
import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import httpx

from rehearsal import report

FILES_SCRIPT = (Path(__file__).parent / "probe_files.py").read_text()
PAGE_TIMEOUT = 3.0
"""Seconds after which a visitor gives up on a page and asks again."""
PAGE_PERIOD = 0.2
"""Seconds between a visitor's pages: several visitors at once must not be the load that they measure."""


@dataclass(frozen=True)
class Attempt:
    """One attempt; `start` in seconds since the epoch."""

    start: float
    seconds: float
    error: str | None

    @property
    def end(self) -> float:
        return self.start + self.seconds


@dataclass
class Probe:
    """A client: `kind` is read, write or page, `name` says which of its kind."""

    kind: Literal["read", "write", "page"]
    name: str
    attempts: list[Attempt] = field(default_factory=list)
    acknowledged: list[int] = field(default_factory=list)

    def outage(self, since: float, until: float) -> float:
        """The longest time in seconds without an attempt that succeeded, between two moments."""
        good = sorted(
            attempt.end for attempt in self.attempts if attempt.error is None and since <= attempt.end <= until
        )
        moments = [since, *good, until]
        return max(later - earlier for earlier, later in itertools.pairwise(moments))

    def lane(self, moment: float) -> report.Lane:
        """All that it saw, for the report; times count from `moment`."""
        attempts = [
            report.Attempt(at=a.start - moment, seconds=a.seconds, ok=a.error is None, error=a.error)
            for a in self.attempts
        ]
        return report.Lane(kind=self.kind, client=self.name, attempts=attempts)

    def succeeded_since(self, moment: float) -> bool:
        return any(attempt.error is None and attempt.start >= moment for attempt in list(self.attempts))

    def stop(self) -> None:
        raise NotImplementedError


class FileProbe(Probe):
    """A reader or writer on a node, in a directory of the volume.

    `entering`: the words that run a command on the node; the process dies with the node.
    """

    def __init__(self, kind: Literal["read", "write"], node: str, entering: list[str], directory: str) -> None:
        super().__init__(kind, node)
        self.writer = f"{node}-{kind}-{time.time_ns()}"
        self._process = subprocess.Popen(
            [*entering, "python3", "-u", "-c", FILES_SCRIPT, kind, directory, self.writer],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
        )  # fmt: skip
        self._thread = threading.Thread(target=self._collect, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        if self._process.stdin:
            with contextlib.suppress(BrokenPipeError):
                self._process.stdin.close()
        self._process.wait(timeout=30)
        self._thread.join()

    def _collect(self) -> None:
        for line in self._process.stdout or ():
            start, seconds, number, error = json.loads(line)
            self.attempts.append(Attempt(start, seconds, error))
            if number is not None:
                self.acknowledged.append(number)


class PageProbe(Probe):
    """A visitor who loads one page again and again, each time on a new connection."""

    def __init__(self, name: str, url: str, expected: str) -> None:
        super().__init__("page", name)
        self._url, self._expected = url, expected
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._visit, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._stopped.set()
        self._thread.join()

    def _visit(self) -> None:
        while not self._stopped.wait(PAGE_PERIOD):
            start, error = time.time(), None
            try:
                with httpx.Client(timeout=PAGE_TIMEOUT, verify=False, follow_redirects=True) as visitor:
                    answer = visitor.get(self._url)
                if answer.status_code != 200:
                    error = f"status {answer.status_code}"
                elif self._expected not in answer.text:
                    error = "not the page that was expected"
            except httpx.HTTPError as failure:
                error = type(failure).__name__
            self.attempts.append(Attempt(start, time.time() - start, error))


def worst(probes: Iterable[Probe], kind: str, since: float, until: float) -> float | None:
    """The longest outage that any client of a kind saw; None when there was no such client."""
    outages = [probe.outage(since, until) for probe in probes if probe.kind == kind]
    return max(outages) if outages else None
