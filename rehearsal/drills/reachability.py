"""Ports: who gets a connection to what."""

from __future__ import annotations

import socket
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

from rehearsal import progress
from rehearsal.region.control import RegionControl
from rehearsal.region.outside_addresses import OutsideAddresses

OPERATOR, STRANGER = "", str(OutsideAddresses.stranger.ip)
"""Addresses to knock from: the operator's own, and one that no security group lets in."""


class PortCheck(NamedTuple):
    """A port of a target and whether it shall be open to a source.

    Both are hosts of the region, by name; or, from outside, one of this side's addresses to a public one.
    """

    source: str
    target: str
    port: int
    open: bool


def reaches(source: str, address: str, port: int) -> bool:
    """Whether a TCP connection comes about from one of this side's addresses."""
    try:
        socket.create_connection((address, port), timeout=2, source_address=(source, 0)).close()
    except OSError:
        return False
    return True


def wrong(control: RegionControl, inner: Sequence[PortCheck], outer: Sequence[PortCheck]) -> list[str]:
    """Knock on every door, and say which are not as they should be."""
    with progress.step("Knocking on every door"), ThreadPoolExecutor(len(inner) + len(outer)) as pool:
        from_inside = pool.map(lambda check: control.reaches(check.source, check.target, check.port), inner)
        from_outside = pool.map(lambda check: reaches(check.source, check.target, check.port), outer)
        found = [*from_inside, *from_outside]
    return [
        f"{check.source or 'operator'} to {check.target}:{check.port} is {'open' if is_open else 'closed'}"
        for check, is_open in zip([*inner, *outer], found, strict=True)
        if is_open != check.open
    ]
