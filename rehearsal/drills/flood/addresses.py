"""Client addresses of a flood's attackers and legitimate clients."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from contextlib import contextmanager

from rehearsal.region.outside_addresses import OutsideAddresses
from rehearsal.system.shell import run

FIRST = int(OutsideAddresses.stranger.ip) + 1
ADDRESSES = [str(ipaddress.ip_address(FIRST + number)) for number in range(50 + 1 + 20)]
"""Addresses next to the stranger's, in a network that no part of the site trusts."""
ATTACKERS, LATE_ATTACKER, LEGITIMATE = ADDRESSES[:50], ADDRESSES[50], ADDRESSES[51:]
"""Addresses of the first attackers, of the attacker that starts when these are banned, and of legitimate clients."""
THIRD_PARTY = "192.0.2.1"
"""An address that no client has; attackers forge it in headers."""


@contextmanager
def outside_addresses() -> Iterator[None]:
    """Give this namespace, outside the region, all these addresses during the block."""

    def change(action: str) -> None:
        run("ip", "-batch", "-", stdin="\n".join(f"addr {action} {address}/32 dev outside" for address in ADDRESSES))

    change("add")
    try:
        yield
    finally:
        change("del")
