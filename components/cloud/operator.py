"""The machine that runs the program, as the clouds' firewalls see it."""

from __future__ import annotations

import socket
from collections.abc import Iterable, Iterator
from ipaddress import IPv4Address, IPv4Network

import pulumi

ROOT_SERVER = ("198.41.0.4", 53)
"""a.root-servers.net: a public address that does not change."""


def source_address() -> IPv4Address | None:
    """The address that this machine connects to the internet from; None without a route. No packet is sent."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(ROOT_SERVER)
        except OSError:
            return None
        return IPv4Address(probe.getsockname()[0])


def ssh_from_errors(ssh_from: Iterable[IPv4Network]) -> Iterator[str]:
    """Yield an error line for an update by a machine that none of the networks `ssh_from` contains.

    Behind NAT a machine has a private address and cannot know its public one; RemoteHost then reports what is closed. A
    preview connects to no node.
    """
    address = None if pulumi.runtime.is_dry_run() else source_address()
    if address and address.is_global and not any(address in network for network in ssh_from):
        yield (
            f"network.ssh_from: does not admit {address}, the address of this machine, which connects to the nodes; "
            f"add {address}/32"
        )
