"""Host names by which the nodes reach each other."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pulumi

from components.formerly import formerly
from components.machine.remote import RemoteHost

SCRIPT = Path(__file__).with_suffix(".sh")


def host_name(node: str) -> str:
    """The host name of a node, in every node's /etc/hosts."""
    return f"node-{node}"


@dataclass(frozen=True)
class EtcHostsArgs:
    """`host`: the node that gets the block. `addresses`: private addresses to list, by host name."""

    host: RemoteHost
    addresses: Mapping[str, pulumi.Input[str]]


class EtcHosts(pulumi.ComponentResource):
    """A block in a node's /etc/hosts with host names and private addresses (one step)."""

    def __init__(self, name: str, args: EtcHostsArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("ha-wordpress:machine:EtcHosts", name, None, formerly("ha-wordpress:index:Hosts", opts))
        lines = pulumi.Output.from_input(dict(args.addresses)).apply(
            lambda addresses: "\n".join(f"{address} {host}" for host, address in addresses.items())
        )
        self.step = args.host.run("hosts", SCRIPT, params={"HOSTS": lines}, opts=pulumi.ResourceOptions(parent=self))
        self.register_outputs({})
