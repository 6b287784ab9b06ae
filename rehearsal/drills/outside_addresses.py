"""Client addresses outside of the region, which the drills give to their clients."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from contextlib import contextmanager

import httpx

from rehearsal.region.outside_addresses import OutsideAddresses
from rehearsal.system.shell import run

FIRST = int(OutsideAddresses.stranger.ip) + 1


def addresses(first: int, count: int) -> list[str]:
    """Addresses next to the stranger's, in a network that no part of the site trusts; `first`: from 0."""
    return [str(ipaddress.ip_address(FIRST + number)) for number in range(first, first + count)]


FLOODER, READER, THIRD_PARTY_VISITOR, VICTIM = addresses(100, 4)
"""Addresses of the attacks: each has its own, so that no ban of one reaches another."""


def browser(address: str, timeout: float) -> httpx.Client:
    """A client at one of these addresses; every request has a connection of its own. `timeout`: in seconds."""
    limits = httpx.Limits(max_keepalive_connections=0)
    transport = httpx.HTTPTransport(limits=limits, local_address=address)
    return httpx.Client(transport=transport, timeout=timeout, follow_redirects=True)


@contextmanager
def outside_addresses(*added: str) -> Iterator[None]:
    """Give this namespace, outside the region, all these addresses during the block."""

    def change(action: str) -> None:
        run("ip", "-batch", "-", stdin="\n".join(f"addr {action} {address}/32 dev outside" for address in added))

    change("add")
    try:
        yield
    finally:
        change("del")
