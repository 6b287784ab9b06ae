"""Attackers of a flood: the requests they make, and the process that makes them."""

from __future__ import annotations

import itertools
import json
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import NamedTuple
from urllib.parse import urlsplit

from rehearsal.drills.flood.addresses import LEGITIMATE, THIRD_PARTY
from rehearsal.probes.agents.flood import ATTACK_KINDS, BASE_PATHS, Attacker

START_INTERVAL = 0.8
"""Seconds from one attacker's start to the next in its group. Two groups of 25 start together: all run after 19.2 s."""
PERIOD = 1.8
"""Seconds between the requests of one attacker.

Sized for two CPUs, where an uncached page takes 0.3 s because every file is looked up on three bricks: attackers cause
about one uncached page per second, legitimate clients under half of one.
"""
LATE_PERIOD = 0.1
"""Seconds between the requests of the late attacker, which is alone."""


def outside_attackers(addresses: Sequence[str], url: str, node: str, period: float = PERIOD) -> list[Attacker]:
    """Attackers that connect to the site's `url` from outside.

    Most of them forge an address in their headers. `node`: the address of a node, for a forged chain of proxies.
    """
    return [
        attacker(address, number, url, address, headers, period)
        for number, (address, headers) in enumerate(zip(addresses, forged_headers(node), strict=False))
    ]


def forwarded_attackers(addresses: Sequence[str], url: str, node: str) -> list[Attacker]:
    """The same attackers as a balancer forwards them: all requests go to one node, with a balancer's headers."""
    attackers = []
    for number, (address, headers) in enumerate(zip(addresses, forged_headers(node), strict=False)):
        chain = ", ".join(filter(None, [headers.get("X-Forwarded-For"), address]))
        headers |= {"X-Forwarded-For": chain, "X-Forwarded-Proto": urlsplit(url).scheme}
        attackers.append(attacker(address, number, f"http://{node}", None, headers, PERIOD))
    return attackers


def forged_headers(node: str) -> Iterator[dict[str, str]]:
    """An endless series of headers by which an attacker may pass for another client; every fifth is empty."""
    for client in itertools.cycle(LEGITIMATE):
        yield {}
        yield {"X-Forwarded-For": client}
        yield {"X-Forwarded-For": f"{THIRD_PARTY}, {node}"}
        yield {"X-Forwarded-For": f"{client}, 127.0.0.1"}
        yield {"X-Real-IP": client, "Client-IP": client, "Forwarded": f"for={client}"}


def attacker(
    address: str, number: int, url: str, source: str | None, headers: dict[str, str], period: float
) -> Attacker:
    """An attacker; its number in its group decides its kind, its first path and its start."""
    return Attacker(
        name=address,
        kind=ATTACK_KINDS[number % len(ATTACK_KINDS)],
        first=number * 3 % len(BASE_PATHS),
        url=url,
        source=source,
        headers=headers,
        delay=number * START_INTERVAL,
        period=period,
    )


class Request(NamedTuple):
    """A finished request of an attacker; `start` in seconds since the epoch, `status` 0 when no answer came."""

    address: str
    start: float
    status: int


class Attackers:
    """Attackers at work from construction until `stop`.

    `netns_prefix`: the command prefix that selects their network; empty: this namespace, outside the region.
    """

    def __init__(self, netns_prefix: Sequence[str], attackers: Sequence[Attacker]) -> None:
        self.requests: list[Request] = []
        self._process = subprocess.Popen(
            [*netns_prefix, sys.executable, "-m", "rehearsal.probes.agents.flood"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert self._process.stdin
        self._process.stdin.write(json.dumps([asdict(attacker) for attacker in attackers]) + "\n")
        self._process.stdin.flush()
        self._thread = threading.Thread(target=self._collect, daemon=True)
        self._thread.start()

    def answers_since(self, moment: float) -> set[int]:
        """The statuses of all answers to requests that started after a moment."""
        return {request.status for request in [*self.requests] if request.start > moment and request.status}

    def stop(self) -> None:
        """End the attackers and wait until all their requests are in `requests`; a second call does nothing."""
        assert self._process.stdin
        self._process.stdin.close()
        self._process.wait(timeout=30)
        self._thread.join()

    def _collect(self) -> None:
        for line in self._process.stdout or ():
            self.requests.append(Request(*json.loads(line)))
