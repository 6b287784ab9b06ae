"""Varnish on a node."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from ipaddress import ip_network
from pathlib import Path

import pulumi

from components.gluster.mount import fallback_order
from components.machine.remote import RESTART, RemoteHost
from components.machine.template import render
from components.web.web import PORT_BEHIND_CACHE

PORT = 80
"""TCP port that visitors and balancers connect to."""

LOOPBACK = ("127.0.0.0/8", "::1/128")

HERE = Path(__file__).parent


@dataclass(frozen=True)
class VarnishArgs:
    """One node that serves the site."""

    host: RemoteHost
    """The node."""
    address: pulumi.Input[str]
    """Its private address."""
    neighbours: Mapping[str, pulumi.Input[str]]
    """Private addresses by node name. Their nginx answers when this node's cannot."""
    network: pulumi.Input[str]
    """Address range in CIDR form of the site's machines. Varnish accepts their orders to remove pages from the cache,
    and trusts their headers for the visitor's address and scheme, except those of `web_nodes`.
    """
    trusted_proxies: Sequence[str]
    """Ranges in CIDR form of further machines whose headers Varnish trusts for the visitor's address."""
    web_nodes: Sequence[pulumi.Input[str]]
    """Private addresses of all machines that run the site's PHP, this node's included."""
    memory_mb: int
    """Size of the cache in MB."""
    depends_on: Sequence[pulumi.Resource]
    """nginx, which must have released port 80."""


class Varnish(pulumi.ComponentResource):
    """Varnish on port 80, in front of the node's own nginx, and of a neighbour's when its own fails (two steps).

    The first step writes the rules, which Varnish loads without an interruption; only the second may restart it.

    /healthz answers 200 while the node can serve by itself or through a neighbour. When all nodes answer 503, let the
    balancer send visitors to all of them: Varnish serves cached pages for up to twelve hours.
    """

    def __init__(self, name: str, args: VarnishArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("ha-wordpress:varnish:Varnish", name, None, opts)
        outputs = pulumi.Output.all(
            address=args.address,
            neighbours=dict(args.neighbours),
            network=args.network,
            trusted_proxies=list(args.trusted_proxies),
            web_nodes=pulumi.Output.all(*args.web_nodes),
        )
        rules = args.host.run(
            "vcl",
            HERE / "vcl.sh",
            params={
                "SITE": (HERE / "site.vcl").read_text(),
                "NODES": outputs.apply(lambda addresses: nodes_vcl(args.host.name, **addresses)),
                "BANS": (HERE / "bans.vcl").read_text(),
            },
            opts=pulumi.ResourceOptions(parent=self),
        )
        self.step = args.host.run(
            "varnish",
            HERE / "varnish.sh",
            params={
                "UNIT": render(HERE / "varnish.conf", MEMORY_MB=args.memory_mb, NGINX_PORT=PORT_BEHIND_CACHE),
                "LOG_UNIT": (HERE / "varnishncsa.conf").read_text(),
                "LOG_FORMAT": (HERE / "log.format").read_text(),
                "LOGROTATE": (HERE / "logrotate.conf").read_text(),
                "RESTART": RESTART.read_text(),
            },
            timeout=120,
            interrupts=True,
            opts=pulumi.ResourceOptions(parent=self, depends_on=[rules, *args.depends_on]),
        )
        self.register_outputs({})


def nodes_vcl(
    node: str,
    address: str,
    neighbours: Mapping[str, str],
    network: str,
    trusted_proxies: Sequence[str],
    web_nodes: Sequence[str],
) -> str:
    """The VCL file that differs between nodes; the step fills in `@VERSION@`.

    `node`: its name. The other arguments are the fields of `VarnishArgs`. Each node falls back on the next one by name,
    so that the load of a failed nginx does not all go to one node.
    """
    *others, _ = fallback_order(sorted([*neighbours, node]), node)
    backends = [backend("local", "127.0.0.1")]
    backends += [backend(f"node_{other}", neighbours[other]) for other in others]
    return render(
        HERE / "nodes.vcl",
        BACKENDS="\n".join(backends),
        LAST_RESORT=backend("local_unprobed", "127.0.0.1", probe=False),
        NEIGHBOURS="\n".join(f"    neighbours.add_backend(node_{other});" for other in others),
        SITE_NETWORK="\n".join(map(acl_entry, (*LOOPBACK, network))),
        # of two ranges with an address the narrower one decides
        FORWARDERS="\n".join(
            [*map(acl_entry, [network, *trusted_proxies]), *(acl_entry(node, "! ") for node in web_nodes)]
        ),
        ADDRESS=address,
        VERSION="@VERSION@",
    )


def acl_entry(text: str, sign: str = "") -> str:
    """A line of a VCL acl. `text`: an address, or a range in CIDR form. `sign`: `! ` leaves it out of a wider range."""
    network = ip_network(text)
    return f'    {sign}"{network.network_address}"/{network.prefixlen};'


def backend(name: str, address: str, *, probe: bool = True) -> str:
    """A VCL backend: nginx on a node.

    Its first byte may take 65 s, as nginx itself answers 504 when PHP takes longer than 60 s.
    """
    health = " .probe = health;" if probe else ""
    return (
        f'backend {name} {{ .host = "{address}"; .port = "{PORT_BEHIND_CACHE}"; .connect_timeout = 1s;'
        f" .first_byte_timeout = 65s;{health} }}"
    )
