"""One address for several balancers."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pulumi

from components.cloud.interface import VirtualIp
from components.haproxy.haproxy import OWN_PORT
from components.machine.remote import RemoteHost, assignments

HERE = Path(__file__).parent


@dataclass(frozen=True)
class KeepalivedArgs:
    """`node`: this balancer's name. `address`: its private address. `peers`: the other balancers' private addresses.

    `virtual_ip`: the address that fails over. `depends_on`: HAProxy on this node.
    """

    host: RemoteHost
    node: str
    address: pulumi.Input[str]
    peers: Sequence[pulumi.Input[str]]
    virtual_ip: VirtualIp
    depends_on: Sequence[pulumi.Resource]


class Keepalived(pulumi.ComponentResource):
    """keepalived beside HAProxy: an address that comes to another balancer when this one or its HAProxy is lost (one
    step).

    They watch each other over their private addresses by unicast VRRP. A balancer that falls silent is given up after
    3.2 s at most, one that leaves in good order at once; who is back does not take the address back. Where the network
    is plain, the holder has the address on its interface and tells the neighbours by gratuitous ARP; in a cloud, it
    runs `VirtualIp.failover` until that succeeds, as failover.service. The script gets `params` as its environment, and
    `secrets` as shell assignments on standard input, from a file that only root reads.
    """

    def __init__(self, name: str, args: KeepalivedArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("ha-wordpress:balancer:Keepalived", name, None, opts)
        failover = args.virtual_ip.failover
        self.step = args.host.run(
            "keepalived",
            HERE / "keepalived.sh",
            params={
                "CONFIG": pulumi.Output.all(
                    address=args.address, peers=list(args.peers), virtual_ip=args.virtual_ip.address
                ).apply(
                    lambda known: config(known["address"], known["peers"], None if failover else known["virtual_ip"])
                ),
                "ADDRESS": args.address,
                "VIRTUAL_IP": args.virtual_ip.address,
                "FAILOVER": failover.script if failover else "",
                "ENVIRONMENT": pulumi.Output.all(**failover.params[args.node]).apply(assignments) if failover else "",
                "UNIT": (HERE / "failover.service").read_text() if failover else "",
            },
            secrets=failover.secrets if failover else None,
            timeout=120,
            opts=pulumi.ResourceOptions(parent=self, depends_on=args.depends_on),
        )
        self.register_outputs({})


def config(address: str, peers: Sequence[str], held: str | None) -> str:
    """The text of keepalived.conf; only its step knows the interfaces.

    `held`: the address that the node itself holds; None where a cloud moves it.
    """
    hold = (HERE / ("hold-itself.conf" if held else "hold-by-cloud.conf")).read_text().rstrip()
    return (
        (HERE / "keepalived.conf")
        .read_text()
        .replace("@HOLD@", hold.replace("@VIRTUAL_IP@", held or ""))
        .replace("@PRIORITY@", str(priority(address, peers)))
        .replace("@ADDRESS@", address)
        .replace("@PEERS@", "\n".join(f"        {peer}" for peer in peers))
        .replace("@OWN_PORT@", str(OWN_PORT))
    )


def priority(address: str, peers: Sequence[str]) -> int:
    """Another for every balancer, so that two that miss the master do not take over in the same moment.

    High, as a low one waits longer (RFC 5798, section 6.1: skew time). A step of 20 keeps them 78 ms apart.
    """
    order = sorted([address, *peers], key=ipaddress.IPv4Address)
    return 250 - 20 * order.index(address)
