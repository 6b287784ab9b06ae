"""The packet filter of a machine: internal ports are closed to strangers, storage to every user but root.

A cloud's firewall closes the same ports from outside, but does not filter between processes of one machine, and
existing machines have none. docs/operations.md, "Internal ports", is for operators.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pulumi

from components.cloud.interface import Ports, VirtualIp
from components.machine.remote import RemoteHost
from components.machine.template import render

HERE = Path(__file__).parent
UNITS = {
    "UNIT": (HERE / "ha-wordpress-ports.service").read_text(),
    "AFTER_NFTABLES": (HERE / "after-nftables.conf").read_text(),
}
"""The parameters of firewall.sh that are the same on every machine."""

VISITORS = (80, 443)
"""TCP ports of HTTP and HTTPS."""

VRRP = 112
"""Number of the IP protocol by which balancers watch each other (RFC 5798)."""


@dataclass(frozen=True)
class FirewallArgs:
    """One machine of the site."""

    host: RemoteHost
    """The machine."""
    internal: Sequence[Ports]
    """Ports that only machines of the network may connect to. To those with `root_only`, on any machine, only root's
    processes of this machine may connect; to those with a `refused_user`, any but this user's.
    """
    network: pulumi.Input[str]
    """Address range of the site's machines, in CIDR form."""
    visitors_from: Sequence[str]
    """Ranges, in CIDR form, that HTTP and HTTPS are admitted from; empty if this machine admits them from anywhere."""
    virtual_ip: VirtualIp | None
    """The address that this machine can take over; None on a machine that is no balancer."""
    balancers: Mapping[str, pulumi.Input[str]]
    """Private addresses of the other balancers by name, the only senders of VRRP and of its tunnel."""


class Firewall(pulumi.ComponentResource):
    """A table of nftables that closes named ports, loaded before the network is up (one step).

    Every other port stays as it is: those of visitors and of SSH, and those of an existing machine's other services.
    Tables of other programs, such as firewalld or ufw, apply too: a packet passes if all of them accept it.
    """

    def __init__(self, name: str, args: FirewallArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("ha-wordpress:firewall:Firewall", name, None, opts)
        shared = args.virtual_ip
        outputs = pulumi.Output.all(
            network=args.network,
            vrrp_peers=pulumi.Output.all(*[shared.peers[name] for name in args.balancers] if shared else []),
            tunnel_peers=pulumi.Output.all(*args.balancers.values()),
        )
        tunnel_port = shared.tunnel_port if shared else None
        self.step = args.host.run(
            "firewall",
            HERE / "firewall.sh",
            params={
                "RULES": outputs.apply(
                    lambda known: rules(
                        args.internal, visitors_from=args.visitors_from, tunnel_port=tunnel_port, **known
                    )
                ),
                **UNITS,
            },
            opts=pulumi.ResourceOptions(parent=self),
        )
        self.register_outputs({})


def rules(
    internal: Sequence[Ports],
    network: str,
    visitors_from: Sequence[str] = (),
    vrrp_peers: Sequence[str] = (),
    tunnel_port: int | None = None,
    tunnel_peers: Sequence[str] = (),
) -> str:
    """The nftables file.

    `internal`, `network`, `visitors_from`: the fields of `FirewallArgs`. `vrrp_peers`: addresses that may send VRRP.
    `tunnel_port`: UDP port of the balancers' tunnel, and `tunnel_peers`: addresses that may send to it. Without them
    the file has no rule for VRRP or for a tunnel.
    """
    balancers = []
    if vrrp_peers:
        balancers += only_from(f"meta l4proto {VRRP}", vrrp_peers)
    if tunnel_port:
        balancers += only_from(f"udp dport {tunnel_port}", tunnel_peers)
    return render(
        HERE / "rules.nft",
        NETWORK=network,
        BALANCERS=indented(balancers),
        INTERNAL=indented(
            [*(f'{match(ports)} drop comment "{ports.purpose}"' for ports in internal), *visitors(visitors_from)]
        ),
        OUTGOING=indented(
            f'{clients}{match(ports)} reject with tcp reset comment "{ports.purpose}"'
            for ports in internal
            if (clients := refused_clients(ports)) is not None
        ),
    )


def only_from(packets: str, peers: Sequence[str]) -> list[str]:
    """Rules that accept packets from the peers and drop all others. `packets`: the expression that matches them."""
    return [f"{packets} ip saddr {{ {', '.join(peers)} }} accept", f"{packets} drop"]


def visitors(ranges: Sequence[str]) -> list[str]:
    """Rules that admit HTTP and HTTPS from these ranges only; none without ranges."""
    if not ranges:
        return []
    web = f"tcp dport {{ {', '.join(map(str, VISITORS))} }}"
    return [f"{web} ip saddr {{ {', '.join(ranges)} }} accept", f'{web} drop comment "visitors"']


def refused_clients(ports: Ports) -> str | None:
    """The nftables expression for processes that may not connect, root's left out; None if all may."""
    if ports.root_only:
        return ""
    return None if ports.refused_user is None else f"meta skuid {ports.refused_user} "


def match(ports: Ports) -> str:
    """The nftables expression for a service's ports."""
    return f"tcp dport {ports.range.first}-{ports.range.last}"


def indented(lines: Iterable[str]) -> str:
    """Rules as the lines of a chain."""
    return "\n".join(f"        {line}" for line in lines)
