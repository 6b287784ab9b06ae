"""The virtual IP of the balancers: a reserved IP that the active balancer moves to itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pulumi
import pulumi_digitalocean as digitalocean

from components.cloud import interface
from components.cloud.digitalocean.dns import site_record
from components.cloud.digitalocean.node import Node
from components.cloud.digitalocean.settings import DigitalOceanSettings
from components.cloud.digitalocean.vxlan_tunnel import PORT, VxlanTunnel, VxlanTunnelArgs
from components.formerly import formerly

SCRIPT = Path(__file__).with_name("failover.sh")


@dataclass(frozen=True)
class VirtualIpArgs:
    """`nodes`: the balancers, by name. `domain`: the site's, if it has one."""

    settings: DigitalOceanSettings
    domain: str | None
    nodes: Mapping[str, Node]


class VirtualIp(pulumi.ComponentResource):
    """A reserved IP, first assigned to the first balancer, and tunnels for VRRP between all of them.

    With the domain in DigitalOcean's DNS also its record.
    """

    def __init__(self, name: str, args: VirtualIpArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(
            "ha-wordpress:digitalocean:VirtualIp", name, None, formerly("ha-wordpress:digitalocean:Entrance", opts)
        )
        child = pulumi.ResourceOptions(parent=self)
        reserved = digitalocean.ReservedIp(
            name,
            region=args.settings.region,
            droplet_id=args.nodes[min(args.nodes)].droplet.id.apply(int),
            # after the first deployment the balancers move it themselves
            opts=pulumi.ResourceOptions(parent=self, ignore_changes=["droplet_id"]),
        )
        zone = args.settings.balancer.dns_zone
        if args.domain and zone:
            site_record(name, args.domain, zone, reserved.ip_address, child)
        private = {name: node.node.private_address for name, node in args.nodes.items()}
        tunnels = {
            name: VxlanTunnel(
                name,
                VxlanTunnelArgs(
                    host=node.node.host,
                    private_address=private[name],
                    others=[address for other, address in private.items() if other != name],
                ),
                child,
            )
            for name, node in args.nodes.items()
        }
        self.virtual_ip = interface.VirtualIp(
            address=reserved.ip_address,
            peers={name: tunnel.address for name, tunnel in tunnels.items()},
            depends_on=[tunnel.step for tunnel in tunnels.values()],
            record=None if zone else "A",
            tunnel_port=PORT,
            failover=interface.FailoverScript(
                script=SCRIPT.read_text(),
                params={
                    name: {"ADDRESS": reserved.ip_address, "DROPLET": node.droplet.id}
                    for name, node in args.nodes.items()
                },
                secrets={"TOKEN": pulumi.Output.secret(args.settings.balancer_token.get_secret_value())},
            ),
        )
        self.register_outputs({"address": reserved.ip_address})
