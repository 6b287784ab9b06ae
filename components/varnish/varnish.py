"""Varnish on a node."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from ipaddress import ip_network
from pathlib import Path

import pulumi

from components.gluster.mount import ring
from components.machine.remote import RemoteHost
from components.web.web import PORT_BEHIND_CACHE

PORT = 80
"""That visitors and balancers connect to."""

LOOPBACK = ("127.0.0.0/8", "::1/128")

HERE = Path(__file__).parent


@dataclass(frozen=True)
class VarnishArgs:
    """`address`: the node's own private one. `neighbours`: private addresses by name of nodes whose nginx answers where
    this one's cannot. `network`: the address range that visitors' true addresses and schemes are believed from, and
    edits. `memory_mb`: of the cache. `depends_on`: nginx, which must have left the port.
    """

    host: RemoteHost
    address: pulumi.Input[str]
    neighbours: Mapping[str, pulumi.Input[str]]
    network: pulumi.Input[str]
    memory_mb: int
    depends_on: Sequence[pulumi.Resource]


class Varnish(pulumi.ComponentResource):
    """Varnish on port 80, in front of the node's own nginx and, where that is ill, of the neighbours' (one step).

    /healthz through it is 200 while the node can serve by itself or through a neighbour. Where no node can, balancers
    had better ask all: what is cached is served for hours.
    """

    def __init__(self, name: str, args: VarnishArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("ha-wordpress:varnish:Varnish", name, None, opts)
        known = pulumi.Output.all(address=args.address, neighbours=dict(args.neighbours), network=args.network)
        self.step = args.host.run(
            "varnish",
            HERE / "varnish.sh",
            params={
                "SITE": (HERE / "site.vcl").read_text(),
                "NODES": known.apply(
                    lambda known: nodes(args.host.name, known["address"], known["neighbours"], known["network"])
                ),
                "BANS": (HERE / "bans.vcl").read_text(),
                "UNIT": unit(args.memory_mb),
                "LOG_UNIT": (HERE / "varnishncsa.conf").read_text(),
                "LOG_FORMAT": (HERE / "log.format").read_text(),
            },
            timeout=120,
            opts=pulumi.ResourceOptions(parent=self, depends_on=args.depends_on),
        )
        self.register_outputs({})


def unit(memory_mb: int) -> str:
    """The text of varnish.service's drop-in."""
    return (HERE / "varnish.conf").read_text().replace("@MEMORY_MB@", str(memory_mb))


def nodes(own: str, address: str, neighbours: Mapping[str, str], network: str) -> str:
    """The text of nodes.vcl; only its step knows `@VERSION@`.

    Each node falls back on the one after it by name, so that not all lean on the same.
    """
    *others, _ = ring(sorted([*neighbours, own]), own)
    backends = [backend("local", "127.0.0.1")]
    backends += [backend(f"node_{other}", neighbours[other]) for other in others]
    hops = map(ip_network, (*LOOPBACK, network))
    return (
        (HERE / "nodes.vcl")
        .read_text()
        .replace("@BACKENDS@", "\n".join(backends))
        .replace("@LAST_RESORT@", backend("local_unasked", "127.0.0.1", probe=False))
        .replace("@NEIGHBOURS@", "\n".join(f"    neighbours.add_backend(node_{other});" for other in others))
        .replace("@HOPS@", "\n".join(f'    "{hop.network_address}"/{hop.prefixlen};' for hop in hops))
        .replace("@ADDRESS@", address)
    )


def backend(name: str, address: str, *, probe: bool = True) -> str:
    """nginx on a node. It gives PHP 60 s, and says so itself."""
    asked = " .probe = health;" if probe else ""
    return (
        f'backend {name} {{ .host = "{address}"; .port = "{PORT_BEHIND_CACHE}"; .connect_timeout = 1s;'
        f" .first_byte_timeout = 65s;{asked} }}"
    )
