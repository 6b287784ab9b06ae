"""The addresses from which a rehearsal's clients reach the region."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass


@dataclass(frozen=True)
class OutsideAddresses:
    """Addresses that are not the region's, with their prefix: the operator's and a stranger's."""

    operator: str
    stranger: str = "198.19.0.10/24"

    @classmethod
    def let_in_by(cls, networks: list[str]) -> OutsideAddresses:
        """The operator comes from the first of the networks that the stack lets in by SSH."""
        first = ipaddress.IPv4Network(networks[0])
        address = first.network_address if first.prefixlen == 32 else first.network_address + 10
        return cls("203.0.113.10/24" if first.prefixlen == 0 else f"{address}/24")
