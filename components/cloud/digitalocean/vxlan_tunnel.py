"""A way for VRRP between the balancers, through firewalls that do not know it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pulumi

from components.formerly import formerly
from components.machine.remote import RemoteHost

SCRIPT = Path(__file__).with_suffix(".sh")

PORT = "4789"
"""UDP port of VXLAN (RFC 7348)."""


@dataclass(frozen=True)
class VxlanTunnelArgs:
    """`private_address`: the node's own. `others`: the other balancers' private addresses."""

    host: RemoteHost
    private_address: pulumi.Output[str]
    others: Sequence[pulumi.Output[str]]


class VxlanTunnel(pulumi.ComponentResource):
    """A balancer's end of a network that the balancers have to themselves (one step).

    DigitalOcean's firewalls let ICMP, TCP and UDP through, on the private network too (its documentation, "Firewalls
    Limits"), and VRRP is an IP protocol beside those. So it goes in VXLAN, which is UDP.
    """

    def __init__(self, name: str, args: VxlanTunnelArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(
            "ha-wordpress:digitalocean:VxlanTunnel", name, None, formerly("ha-wordpress:digitalocean:Link", opts)
        )
        self.address = args.private_address.apply(on_the_link)
        self.step = args.host.run(
            "link",
            SCRIPT,
            params={
                "LOCAL": args.private_address,
                "REMOTES": pulumi.Output.all(*args.others).apply(" ".join),
                "ADDRESS": self.address,
            },
            opts=pulumi.ResourceOptions(parent=self),
        )
        self.register_outputs({"address": self.address})


def on_the_link(private_address: str) -> str:
    """A node's address on the link: of a range that nobody uses (RFC 2544), with the last two parts of its private one,
    which no two nodes of a VPC have in common, as none is larger than a /16.
    """
    return ".".join(["198.19", *private_address.split(".")[2:]])
