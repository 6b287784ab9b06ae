"""The nodes' names for each other."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pulumi

from components.formerly import formerly
from components.machine.remote import RemoteHost

SCRIPT = Path(__file__).with_suffix(".sh")


def host_name(node: str) -> str:
    """What the other nodes call a node."""
    return f"node-{node}"


@dataclass(frozen=True)
class EtcHostsArgs:
    """`addresses`: private address by host name, of every node of the site."""

    host: RemoteHost
    addresses: Mapping[str, pulumi.Input[str]]


class EtcHosts(pulumi.ComponentResource):
    """A block in a node's /etc/hosts that names every node at its private address (one step)."""

    def __init__(self, name: str, args: EtcHostsArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("ha-wordpress:machine:EtcHosts", name, None, formerly("ha-wordpress:index:Hosts", opts))
        lines = pulumi.Output.from_input(dict(args.addresses)).apply(
            lambda known: "\n".join(f"{address} {host}" for host, address in known.items())
        )
        self.step = args.host.run("hosts", SCRIPT, params={"HOSTS": lines}, opts=pulumi.ResourceOptions(parent=self))
        self.register_outputs({})
