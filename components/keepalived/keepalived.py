"""One virtual IP for several balancers."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pulumi

from components.cloud.interface import VirtualIp
from components.haproxy.haproxy import OWN_PORT
from components.machine.remote import RESTART, RemoteHost, assignments
from components.machine.template import render

HERE = Path(__file__).parent


@dataclass(frozen=True)
class KeepalivedArgs:
    """One balancer."""

    host: RemoteHost
    """The balancer."""
    node: str
    """Its name."""
    address: pulumi.Input[str]
    """Its private IPv4 address."""
    peers: Sequence[pulumi.Input[str]]
    """The other balancers' private IPv4 addresses."""
    virtual_ip: VirtualIp
    """The address that fails over."""
    depends_on: Sequence[pulumi.Resource]
    """HAProxy on this balancer, and the network between the balancers."""


class Keepalived(pulumi.ComponentResource):
    """keepalived beside HAProxy: another balancer takes the virtual IP when this one or its HAProxy fails (one step).

    The balancers watch each other by unicast VRRP over their private addresses. A silent balancer loses the virtual IP
    after 3.2 s at most. A clean shutdown fails over at once; a returning balancer does not preempt.

    On a plain network the master adds the virtual IP to its interface and announces it by gratuitous ARP. In a cloud it
    runs the script `VirtualIp.failover` as failover.service until the script succeeds. The script gets `params` as its
    environment, and `secrets` as shell assignments on standard input, from a file that only root can read.
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
                    lambda outputs: config(
                        outputs["address"], outputs["peers"], None if failover else outputs["virtual_ip"]
                    )
                ),
                "ADDRESS": args.address,
                "VIRTUAL_IP": args.virtual_ip.address,
                "FAILOVER": failover.script if failover else "",
                "ENVIRONMENT": pulumi.Output.all(**failover.params[args.node]).apply(assignments) if failover else "",
                "RESTART": RESTART.read_text(),
                "UNIT": (HERE / "failover.service").read_text() if failover else "",
            },
            secrets=failover.secrets if failover else None,
            timeout=120,
            opts=pulumi.ResourceOptions(parent=self, depends_on=args.depends_on),
        )
        self.register_outputs({})


def config(address: str, peers: Sequence[str], virtual_ip: str | None) -> str:
    """keepalived's configuration; the step fills in the names of the interfaces.

    `address` and `peers`: the fields of `KeepalivedArgs`. `virtual_ip`: the address that the master adds to its own
    interface; None where a cloud's failover script assigns it.
    """
    if virtual_ip:
        interface = "@VIRTUAL_IP_INTERFACE@"
        hold = render(HERE / "hold-itself.conf", VIRTUAL_IP=virtual_ip, VIRTUAL_IP_INTERFACE=interface)
    else:
        hold = (HERE / "hold-by-cloud.conf").read_text()
    return render(
        HERE / "keepalived.conf",
        HOLD=hold.rstrip(),
        PRIORITY=priority(address, peers),
        ADDRESS=address,
        PEERS="\n".join(f"        {peer}" for peer in peers),
        OWN_PORT=OWN_PORT,
        INTERFACE="@INTERFACE@",
    )


def priority(address: str, peers: Sequence[str]) -> int:
    """A balancer's VRRP priority: each has a different one, so no two take over at the same moment.

    It is high because a lower priority waits longer (RFC 5798, section 6.1: skew time). Steps of 20 keep two balancers
    78 ms apart.
    """
    order = sorted([address, *peers], key=ipaddress.IPv4Address)
    return 250 - 20 * order.index(address)
