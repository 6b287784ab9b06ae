"""Attackers of a site: each guesses passwords from its own address until standard input closes.

Standard input: one line of JSON, a list of `Attacker`. Standard output: one line of JSON for each finished request: the
attacker's name, the start in seconds since the epoch, and the status of the answer, 0 when no answer came.

Usage: python -m rehearsal.probes.agents.flood
"""

from __future__ import annotations

import http.client
import itertools
import json
import sys
import threading
import time
import xmlrpc.client
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, get_args

import httpx

AttackKind = Literal["xmlrpc", "login"]
ATTACK_KINDS: tuple[AttackKind, ...] = get_args(AttackKind)
BASE_PATHS = (
    "", "/blog", "/web", "/wordpress", "/website", "/wp", "/news", "/shop", "/wp1", "/test", "/media", "/wp2", "/site",
    "/cms", "/sito", *(f"/{year}" for year in range(2005, 2025)),
)  # fmt: skip
"""Paths at which scanners look for WordPress. The site is at the first; there, every guess costs PHP a page."""
REFUSED = 429
"""The status with which a node refuses a banned address."""
PERSISTENT_AFTER = 5
"""Refusals in a row after which an attacker uses the first path only: none of these requests may reach PHP."""
TIMEOUT = 5.0
"""Seconds after which a request without an answer fails."""


@dataclass(frozen=True)
class Attacker:
    """One attacker.

    `kind`: the page it guesses passwords at, xmlrpc.php or wp-login.php. `first`: index in `BASE_PATHS` of its first
    request. `source`: the client address; None: the host's own. `headers`: additional request headers. `delay`: seconds
    before the first request. `period`: seconds between the starts of two requests; a slower answer delays the next.
    """

    name: str
    kind: AttackKind
    first: int
    url: str
    source: str | None
    headers: dict[str, str]
    delay: float
    period: float


class Transport(xmlrpc.client.Transport):
    """Python's transport with a choice of the source address."""

    def __init__(self, attacker: Attacker) -> None:
        super().__init__(headers=list(attacker.headers.items()))
        self._source = (attacker.source, 0) if attacker.source else None
        self._tls = attacker.url.startswith("https:")

    def make_connection(self, host: object) -> http.client.HTTPConnection:
        _, connection = self._connection
        if connection is None:
            assert isinstance(host, str)
            if self._tls:
                connection = http.client.HTTPSConnection(host, timeout=TIMEOUT, source_address=self._source)
            else:
                connection = http.client.HTTPConnection(host, timeout=TIMEOUT, source_address=self._source)
            self._connection = host, connection
        return connection


def xmlrpc_guesser(attacker: Attacker) -> Callable[[str, str], int]:
    """A function that makes one guess by wp.getUsersBlogs, the usual call of such attacks; it returns the status."""
    transport = Transport(attacker)

    def guess(base_path: str, password: str) -> int:
        site = xmlrpc.client.ServerProxy(f"{attacker.url}{base_path}/xmlrpc.php", transport=transport)
        try:
            site.wp.getUsersBlogs("admin", password)
        except xmlrpc.client.Fault:
            return 200
        except xmlrpc.client.ProtocolError as refusal:
            return refusal.errcode
        except (OSError, http.client.HTTPException):
            return 0
        return 200

    return guess


def login_guesser(attacker: Attacker) -> Callable[[str, str], int]:
    """A function that makes one guess by the login form; it returns the status."""
    browser = httpx.Client(
        transport=httpx.HTTPTransport(local_address=attacker.source),
        headers=attacker.headers,
        timeout=TIMEOUT,
    )

    def guess(base_path: str, password: str) -> int:
        try:
            form = {"log": "admin", "pwd": password}
            return browser.post(f"{attacker.url}{base_path}/wp-login.php", data=form).status_code
        except httpx.HTTPError:
            return 0

    return guess


def attack(attacker: Attacker, stopped: threading.Event) -> None:
    guess = xmlrpc_guesser(attacker) if attacker.kind == "xmlrpc" else login_guesser(attacker)
    due = time.monotonic() + attacker.delay
    refusals = 0
    for number in itertools.count(attacker.first):
        if stopped.wait(due - time.monotonic()):
            return
        start = time.time()
        base_path = BASE_PATHS[0] if refusals >= PERSISTENT_AFTER else BASE_PATHS[number % len(BASE_PATHS)]
        status = guess(base_path, f"guess {number}")
        refusals = refusals + 1 if status == REFUSED else 0
        # one call for the whole line: other threads write to the same stream
        sys.stdout.write(json.dumps([attacker.name, start, status]) + "\n")
        sys.stdout.flush()
        due = max(due + attacker.period, time.monotonic())


def main() -> None:
    stopped = threading.Event()
    attackers = [Attacker(**values) for values in json.loads(sys.stdin.readline())]
    threads = [threading.Thread(target=attack, args=(attacker, stopped)) for attacker in attackers]
    for thread in threads:
        thread.start()
    sys.stdin.read()
    stopped.set()
    for thread in threads:
        thread.join()


if __name__ == "__main__":
    main()
