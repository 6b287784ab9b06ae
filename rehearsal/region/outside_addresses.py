"""Addresses from which a rehearsal's clients reach the region."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass

STRANGER = ipaddress.IPv4Interface("198.19.0.10/24")


@dataclass(frozen=True)
class OutsideAddresses:
    """The two client addresses outside of the region, with their prefixes."""

    operator: ipaddress.IPv4Interface
    """Source address of the engine and the probes."""
    stranger: ipaddress.IPv4Interface = STRANGER
    """A second address of the same namespace, which no security group admits."""

    @classmethod
    def admitted_by(cls, networks: list[str]) -> OutsideAddresses:
        """Choose an operator's address from the first of the networks that the stack admits to SSH."""
        first = ipaddress.IPv4Network(networks[0])
        address = first.network_address if first.prefixlen == 32 else first.network_address + 10
        return cls(ipaddress.IPv4Interface("203.0.113.10/24" if first.prefixlen == 0 else f"{address}/24"))
