"""Attackers of a site, at one place of the network: each asks from an address of its own, again and again.

Standard input: one line of JSON, a list of attackers (see `Attacker`), and then nothing until it is closed, which ends
them. Standard output: one line of JSON for each request that has ended: the attacker's name, the start in seconds since
the epoch, and the answer's status, 0 where there was none.

Usage: python -m rehearsal.probes.agents.flood
"""

from __future__ import annotations

import http.client
import itertools
import json
import ssl
import sys
import threading
import time
import xmlrpc.client
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, get_args

import httpx

Kind = Literal["xmlrpc", "login"]
KINDS: tuple[Kind, ...] = get_args(Kind)
PLACES = (
    "", "/blog", "/web", "/wordpress", "/website", "/wp", "/news", "/shop", "/wp1", "/test", "/media", "/wp2", "/site",
    "/cms", "/sito", *(f"/{year}" for year in range(2005, 2025)),
)  # fmt: skip
"""Where scanners look for a WordPress. It is at the first, where every guess is a page's work for PHP."""
REFUSED = 429
INSISTENT = 5
"""Refusals in a row after which an attacker goes to the first place only: nothing of that may reach PHP."""
TIMEOUT = 5.0


@dataclass(frozen=True)
class Attacker:
    """`kind`: guesses passwords by xmlrpc.php or by wp-login.php; `first`: of `PLACES`, where to begin.

    `source`: the address that it connects from; None: the place's own. `headers`: what it writes beside. `delay`:
    seconds before its first request; `period`: from one request to the next, where the answer does not take longer.
    """

    name: str
    kind: Kind
    first: int
    url: str
    source: str | None
    headers: dict[str, str]
    delay: float
    period: float


class Transport(xmlrpc.client.Transport):
    """Python's own, from an address of one's choice; whose certificate the site has is no attacker's worry."""

    def __init__(self, attacker: Attacker) -> None:
        super().__init__(headers=list(attacker.headers.items()))
        self._source = (attacker.source, 0) if attacker.source else None
        self._tls = attacker.url.startswith("https:")

    def make_connection(self, host: object) -> http.client.HTTPConnection:
        _, made = self._connection
        if made is None:
            assert isinstance(host, str)
            if self._tls:
                context = ssl._create_unverified_context()
                made = http.client.HTTPSConnection(host, timeout=TIMEOUT, source_address=self._source, context=context)
            else:
                made = http.client.HTTPConnection(host, timeout=TIMEOUT, source_address=self._source)
            self._connection = host, made
        return made


def by_xmlrpc(attacker: Attacker) -> Callable[[str, str], int]:
    """Guesses by the call that most attacks of the kind use."""
    transport = Transport(attacker)

    def guess(place: str, password: str) -> int:
        site = xmlrpc.client.ServerProxy(f"{attacker.url}{place}/xmlrpc.php", transport=transport)
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


def by_login(attacker: Attacker) -> Callable[[str, str], int]:
    browser = httpx.Client(
        transport=httpx.HTTPTransport(local_address=attacker.source, verify=False),
        headers=attacker.headers,
        timeout=TIMEOUT,
    )

    def guess(place: str, password: str) -> int:
        try:
            form = {"log": "admin", "pwd": password}
            return browser.post(f"{attacker.url}{place}/wp-login.php", data=form).status_code
        except httpx.HTTPError:
            return 0

    return guess


def attack(attacker: Attacker, stopped: threading.Event) -> None:
    guess = by_xmlrpc(attacker) if attacker.kind == "xmlrpc" else by_login(attacker)
    due = time.monotonic() + attacker.delay
    refusals = 0
    for number in itertools.count(attacker.first):
        if stopped.wait(due - time.monotonic()):
            return
        start = time.time()
        place = PLACES[0] if refusals >= INSISTENT else PLACES[number % len(PLACES)]
        status = guess(place, f"guess {number}")
        refusals = refusals + 1 if status == REFUSED else 0
        # in one piece, as others write too
        sys.stdout.write(json.dumps([attacker.name, start, status]) + "\n")
        sys.stdout.flush()
        due = max(due + attacker.period, time.monotonic())


def main() -> None:
    stopped = threading.Event()
    attackers = [Attacker(**given) for given in json.loads(sys.stdin.readline())]
    threads = [threading.Thread(target=attack, args=(attacker, stopped)) for attacker in attackers]
    for thread in threads:
        thread.start()
    sys.stdin.read()
    stopped.set()
    for thread in threads:
        thread.join()


if __name__ == "__main__":
    main()
