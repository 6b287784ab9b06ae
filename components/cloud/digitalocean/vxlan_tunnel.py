"""A VXLAN tunnel that carries VRRP between the balancers, because DigitalOcean's firewalls drop VRRP."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pulumi

from components.formerly import formerly
from components.machine.remote import RemoteHost

SCRIPT = Path(__file__).with_suffix(".sh")

PORT = 4789
"""UDP port of VXLAN (RFC 7348)."""


@dataclass(frozen=True)
class VxlanTunnelArgs:
    """`host`: the balancer. `private_address`: its own. `others`: the private addresses of the other balancers."""

    host: RemoteHost
    private_address: pulumi.Output[str]
    others: Sequence[pulumi.Output[str]]


class VxlanTunnel(pulumi.ComponentResource):
    """One balancer's end of the tunnel (one step).

    DigitalOcean's firewalls pass only ICMP, TCP and UDP, on the private network too (its documentation, "Firewalls
    Limits"). VRRP is another IP protocol, so it travels inside VXLAN, which uses UDP.
    """

    def __init__(self, name: str, args: VxlanTunnelArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(
            "ha-wordpress:digitalocean:VxlanTunnel", name, None, formerly("ha-wordpress:digitalocean:Link", opts)
        )
        self.address = args.private_address.apply(tunnel_address)
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


def tunnel_address(private_address: str) -> str:
    """A node's address in the tunnel: 198.19 and the last two parts of its private address.

    The range is reserved for benchmarks (RFC 2544), so no real network uses it. The last two parts are unique in the
    VPC, because a VPC is never larger than a /16.
    """
    return ".".join(["198.19", *private_address.split(".")[2:]])
