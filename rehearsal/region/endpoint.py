"""Endpoints of the region's network: a network namespace with ports for each machine and service."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from pathlib import Path

NETNS = Path("/run/netns")
"""Directory of the named network namespaces (ip-netns(8))."""


@dataclass(frozen=True)
class Lan:
    """A layer 2 network, as behind a switch: its endpoints hear each other's ARP, and no security group filters it."""

    name: str
    """Name of the router's bridge: at most 15 characters."""
    subnet: ipaddress.IPv4Network
    routed: bool
    """Whether the router is its gateway, through which clients outside reach its endpoints."""


@dataclass
class Port:
    """A network interface of an endpoint, joined to the router by a veth pair."""

    name: str
    """Name of the router's end: at most 15 characters, no dot."""
    interface: str
    """Name of the endpoint's end."""
    address: str
    subnet: ipaddress.IPv4Network
    groups: tuple[str, ...] | None
    """Ids of the security groups that filter its traffic; None: no filter."""
    public: str | None = None
    """Address for clients outside: its own, or one that the router translates to it; None: they cannot reach it."""
    lan: Lan | None = None
    """The LAN that it is plugged into; None: a cloud's network, where every packet goes through the router."""

    @property
    def gateway(self) -> str:
        return gateway(self.subnet)


@dataclass(frozen=True)
class Endpoint:
    """A network namespace and its ports; the first port holds the default route."""

    name: str
    ports: tuple[Port, ...]

    @property
    def namespace(self) -> Path:
        return NETNS / self.name

    @property
    def address(self) -> str:
        """Address for the region's other endpoints: that of the last port, which is the private one of two."""
        return self.ports[-1].address

    @property
    def public(self) -> str | None:
        """Address for clients outside; None: they cannot reach it."""
        return self.ports[0].public

    def port(self, interface: str) -> Port:
        """Return the port of the interface with this name. Raises `KeyError` when the endpoint has none."""
        for port in self.ports:
            if port.interface == interface:
                return port
        known = ", ".join(port.interface for port in self.ports)
        raise KeyError(f"{self.name} has no interface {interface}; choose one of: {known}")


def gateway(subnet: ipaddress.IPv4Network) -> str:
    """The router's address in a subnet: the first one."""
    return str(subnet.network_address + 1)
