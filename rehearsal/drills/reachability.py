"""Checks of ports: each is open to the hosts that need it and closed to all others."""

from __future__ import annotations

import socket
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

from rehearsal import progress
from rehearsal.region.control import RegionControl
from rehearsal.region.outside_addresses import OutsideAddresses

OPERATOR, STRANGER = "", str(OutsideAddresses.stranger.ip)
"""Source addresses of checks from outside: the operator's own (empty), and one that no security group admits."""


class PortCheck(NamedTuple):
    """A port of a target, and whether it has to be open to a source.

    Inside the region, `source` and `target` are names of hosts. From outside, `source` is an address of this namespace
    and `target` a public address.
    """

    source: str
    target: str
    port: int
    open: bool


def reaches(source: str, address: str, port: int) -> bool:
    """Whether a TCP connection from an address of this namespace succeeds within 2 s."""
    try:
        socket.create_connection((address, port), timeout=2, source_address=(source, 0)).close()
    except OSError:
        return False
    return True


def violations(control: RegionControl, inner: Sequence[PortCheck], outer: Sequence[PortCheck]) -> list[str]:
    """Check all ports in parallel; returns a line for each port that is open or closed against its check.

    `inner`: checks between hosts of the region. `outer`: checks from outside.
    """
    with progress.step("Checking ports"), ThreadPoolExecutor(len(inner) + len(outer)) as pool:
        from_inside = pool.map(lambda check: control.reaches(check.source, check.target, check.port), inner)
        from_outside = pool.map(lambda check: reaches(check.source, check.target, check.port), outer)
        states = [*from_inside, *from_outside]
    return [
        f"{check.source or 'operator'} to {check.target}:{check.port} is {'open' if is_open else 'closed'}"
        for check, is_open in zip([*inner, *outer], states, strict=True)
        if is_open != check.open
    ]
