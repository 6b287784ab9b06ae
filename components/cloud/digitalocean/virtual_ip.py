"""The one address that the balancers share: a reserved IP, moved by whoever takes over."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pulumi
import pulumi_digitalocean as digitalocean

from components.cloud import interface
from components.cloud.digitalocean.node import Node
from components.cloud.digitalocean.settings import DigitalOceanSettings
from components.cloud.digitalocean.vxlan_tunnel import VxlanTunnel, VxlanTunnelArgs
from components.formerly import formerly

SCRIPT = Path(__file__).with_name("failover.sh")


@dataclass(frozen=True)
class VirtualIpArgs:
    """`nodes`: by name, those that may have the address."""

    settings: DigitalOceanSettings
    nodes: Mapping[str, Node]


class VirtualIp(pulumi.ComponentResource):
    """An address that stays (reserved IP), on the first node to begin with; and links to watch each other over."""

    def __init__(self, name: str, args: VirtualIpArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(
            "ha-wordpress:digitalocean:VirtualIp", name, None, formerly("ha-wordpress:digitalocean:Entrance", opts)
        )
        child = pulumi.ResourceOptions(parent=self)
        reserved = digitalocean.ReservedIp(
            name,
            region=args.settings.region,
            droplet_id=args.nodes[min(args.nodes)].droplet.id.apply(int),
            # from then on the nodes move it
            opts=pulumi.ResourceOptions(parent=self, ignore_changes=["droplet_id"]),
        )
        private = {node: made.node.private_address for node, made in args.nodes.items()}
        tunnels = {
            node: VxlanTunnel(
                node,
                VxlanTunnelArgs(
                    host=made.node.host,
                    private_address=private[node],
                    others=[address for other, address in private.items() if other != node],
                ),
                child,
            )
            for node, made in args.nodes.items()
        }
        self.virtual_ip = interface.VirtualIp(
            address=reserved.ip_address,
            peers={node: tunnel.address for node, tunnel in tunnels.items()},
            depends_on=[tunnel.step for tunnel in tunnels.values()],
            failover=interface.FailoverScript(
                script=SCRIPT.read_text(),
                params={
                    node: {"ADDRESS": reserved.ip_address, "DROPLET": made.droplet.id}
                    for node, made in args.nodes.items()
                },
                secrets={"TOKEN": pulumi.Output.secret(args.settings.balancer_token.get_secret_value())},
            ),
        )
        self.register_outputs({"address": reserved.ip_address})
