"""Clients that read, write and fetch pages without a pause, and keep how each attempt went."""

from __future__ import annotations

import contextlib
import itertools
import json
import socket
import subprocess
import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import httpx

from rehearsal.report import model

FILES_SCRIPT = (Path(__file__).parent / "agents" / "files.py").read_text()
PAGE_TIMEOUT = 3.0
"""Seconds after which a visitor gives up on a page and asks again."""
PAGE_PERIOD = 0.2
"""Seconds between a visitor's pages: several visitors at once must not be the load that they measure."""
SESSION_PERIOD = 0.4
"""The same for a visitor with a session, of whom there are many."""
ADDRESS_PERIOD = 0.1
ADDRESS_TIMEOUT = 0.5
"""Seconds between connections to an address, and until one is given up: an outage is measured to their sum."""


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
    """A client: `kind` is what it asks for, `name` says which of its kind."""

    kind: Literal["read", "write", "page", "address"]
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

    def lane(self, moment: float) -> model.Lane:
        """All that it saw, for the report; times count from `moment`."""
        attempts = [
            model.Attempt(at=a.start - moment, seconds=a.seconds, ok=a.error is None, error=a.error)
            for a in self.attempts
        ]
        return model.Lane(kind=self.kind, client=self.name, attempts=attempts)

    def succeeded_since(self, moment: float) -> bool:
        return any(attempt.error is None and attempt.start >= moment for attempt in list(self.attempts))

    def stop(self) -> None:
        raise NotImplementedError


class FileProbe(Probe):
    """A reader or writer on a node, in a directory of the volume.

    `exec_prefix`: the words that run a command on the node; the process dies with the node.
    """

    def __init__(self, kind: Literal["read", "write"], node: str, exec_prefix: list[str], directory: str) -> None:
        super().__init__(kind, node)
        self.writer = f"{node}-{kind}-{time.time_ns()}"
        self._process = subprocess.Popen(
            [*exec_prefix, "python3", "-u", "-c", FILES_SCRIPT, kind, directory, self.writer],
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


class Visitor(Probe):
    """A browser that asks the site for something again and again, each time on a new connection.

    `period`: seconds between an answer and the next question. `source`: the address that it comes from.
    """

    def __init__(self, name: str, period: float = PAGE_PERIOD, source: str | None = None) -> None:
        super().__init__("page", name)
        self._period = period
        line = httpx.HTTPTransport(verify=False, limits=httpx.Limits(max_keepalive_connections=0), local_address=source)
        self._browser = httpx.Client(transport=line, timeout=PAGE_TIMEOUT, follow_redirects=True)
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._visit, daemon=True)
        self._thread.start()

    def load(self) -> str | None:
        """Ask once; returns what is wrong with the answer. Raises `httpx.HTTPError` where there is none."""
        raise NotImplementedError

    def stop(self) -> None:
        self._stopped.set()
        self._thread.join()

    def _visit(self) -> None:
        while not self._stopped.wait(self._period):
            start = time.time()
            try:
                error = self.load()
            except httpx.HTTPError as failure:
                error = type(failure).__name__
            self.attempts.append(Attempt(start, time.time() - start, error))


class PageProbe(Visitor):
    """Loads one page; `expected`: a text that is in it. `cookie`: that it comes with."""

    def __init__(
        self, name: str, url: str, expected: str,
        *, period: float = PAGE_PERIOD, source: str | None = None, cookie: str = "",
    ) -> None:  # fmt: skip
        self._url, self._expected = url, expected
        self._headers = {"Cookie": cookie} if cookie else {}
        super().__init__(name, period, source)

    def load(self) -> str | None:
        answer = self._browser.get(self._url, headers=self._headers)
        if answer.status_code != 200:
            return f"status {answer.status_code}"
        return None if self._expected in answer.text else "not the page that was expected"


class SessionProbe(Visitor):
    """Has a session of tests/sessions-app: logs in, counts its visits, and puts something in its cart now and then.

    Whatever was acknowledged has to be there in every later answer: `lost_visits` counts the visits that were not,
    `lost_sessions` how often the visitor was somebody else or nobody, or missed something in the cart.
    """

    def __init__(self, name: str, url: str) -> None:
        self._url = url
        self._loads = itertools.count()
        self._session: str | None = None
        self._cart: list[str] = []
        self.visits = self.lost_visits = self.lost_sessions = 0
        super().__init__(name, SESSION_PERIOD)

    def load(self) -> str | None:
        if self._session is None:
            return self._log_in()
        number = next(self._loads)
        return self._count() if number % 5 else self._fill_cart(f"item {number}")

    def look_back(self) -> str | None:
        """Ask for all that was acknowledged once more, after the end; returns what is wrong."""
        return self._log_in(anew=False) or self._fill_cart("the last item") or self._count()

    def _log_in(self, *, anew: bool = True) -> str | None:
        page = f"{self._url}/login.php"
        answer = self._browser.post(page, data={"user": self.name}) if anew else self._browser.get(page)
        if answer.status_code != 200:
            return f"status {answer.status_code}"
        output = answer.json()
        if anew:
            self._session = output["session"]
        if output["user"] != self.name:
            self.lost_sessions += 1
            return f"{output['user'] or 'nobody'} is logged in"
        return None

    def _count(self) -> str | None:
        answer = self._browser.get(self._url)
        if wrong := self._stranger(answer):
            return wrong
        before, self.visits = self.visits, answer.json()["counter"]
        if self.visits <= before:
            self.lost_visits += before + 1 - self.visits
            return f"visit {self.visits} comes after {before}"
        self.acknowledged.append(self.visits)
        return None

    def _fill_cart(self, item: str) -> str | None:
        answer = self._browser.post(f"{self._url}/cart.php", data={"item": item})
        if wrong := self._stranger(answer):
            return wrong
        missing = [item for item in self._cart if item not in answer.json()["cart"]]
        self._cart = [item for item in self._cart if item not in missing] + [item]
        if missing:
            self.lost_sessions += 1
            return f"{', '.join(missing)} is not in the cart"
        return None

    def _stranger(self, answer: httpx.Response) -> str | None:
        """What is wrong with an answer as such: none, or one of another session, which is then this visitor's."""
        if answer.status_code != 200:
            return f"status {answer.status_code}"
        before, self._session = self._session, answer.json()["session"]
        if self._session != before:
            self.lost_sessions += 1
            return "another session"
        return None


class AddressProbe(Probe):
    """Connects to an address by TCP again and again: whoever answers there, it is held."""

    def __init__(self, address: str, port: int) -> None:
        super().__init__("address", address)
        self._place = (address, port)
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._connect, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._stopped.set()
        self._thread.join()

    def _connect(self) -> None:
        while not self._stopped.wait(ADDRESS_PERIOD):
            start, error = time.time(), None
            try:
                socket.create_connection(self._place, timeout=ADDRESS_TIMEOUT).close()
            except OSError as failure:
                error = type(failure).__name__
            self.attempts.append(Attempt(start, time.time() - start, error))


def worst(probes: Iterable[Probe], kind: str, since: float, until: float) -> float | None:
    """The longest outage that any client of a kind saw; None when there was no such client."""
    outages = [probe.outage(since, until) for probe in probes if probe.kind == kind]
    return max(outages) if outages else None
