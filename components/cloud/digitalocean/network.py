"""The VPC, the tags by which DigitalOcean knows which droplet does what, and who may talk to whom."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi
import pulumi_digitalocean as digitalocean

from components.cloud.digitalocean.settings import DigitalOceanSettings
from components.cloud.digitalocean.vxlan_tunnel import PORT as LINK
from components.cloud.interface import MachineSpec, SiteSpec
from components.config.settings import PortRange

ANYWHERE = ["0.0.0.0/0", "::/0"]


@dataclass(frozen=True)
class NetworkArgs:
    """`site`: which ports are open between whom."""

    settings: DigitalOceanSettings
    site: SiteSpec


class Network(pulumi.ComponentResource):
    """Where the site's droplets have their private addresses, and what is let through to them (VPC, tags, firewalls).

    Firewalls go by tag: a droplet has them from its first moment, and a new droplet changes none. A droplet lets in
    what a rule of any of its firewalls allows, on its public and on its private interface; the load balancer's is
    beside it (balancer.py).
    """

    def __init__(self, name: str, args: NetworkArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("ha-wordpress:digitalocean:Network", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        settings, site, stack = args.settings, args.site, pulumi.get_stack()

        made = digitalocean.Vpc(
            name, name=stack, region=settings.region, ip_range=str(settings.network.cidr), opts=child
        )
        self.vpc = made.id
        self.cidr = made.ip_range
        tags = {"site": stack}
        if site.balanced:
            tags["web"] = f"{stack}-web"
        if site.virtual_ip_nodes:
            tags["entrance"] = f"{stack}-entrance"
        self.tags = {name: digitalocean.Tag(name, name=tag, opts=child).name for name, tag in tags.items()}

        nodes = digitalocean.Firewall(
            "nodes",
            name=f"{stack}-nodes",
            tags=[self.tags["site"]],
            inbound_rules=[
                let_in("22", source_addresses=[str(cidr) for cidr in settings.network.ssh_from]),
                *(
                    # By range and not by tag: a tag stands for the public addresses of its droplets as well. The VPC
                    # is this stack's own: no machine of anybody else has an address in it.
                    let_in(port_range(ports.range), source_addresses=[self.cidr])
                    for ports in site.peers
                ),
            ],
            outbound_rules=[
                digitalocean.FirewallOutboundRuleArgs(
                    protocol=protocol,
                    port_range=None if protocol == "icmp" else "1-65535",
                    destination_addresses=ANYWHERE,
                )
                for protocol in ("tcp", "udp", "icmp")
            ],
            opts=child,
        )
        self.firewalls: list[pulumi.Resource] = [nodes]
        if site.virtual_ip_nodes:
            virtual_ip = digitalocean.Firewall(
                "entrance",
                name=f"{stack}-entrance",
                tags=[self.tags["entrance"]],
                inbound_rules=[
                    *(let_in(port, source_addresses=ANYWHERE) for port in ("80", "443")),
                    let_in(LINK, protocol="udp", source_addresses=[self.cidr]),
                ],
                opts=child,
            )
            self.firewalls.append(virtual_ip)
        self.register_outputs({"vpc": self.vpc, "cidr": self.cidr})

    def tags_for(self, machine: MachineSpec) -> list[pulumi.Output[str]]:
        """The tags of a droplet that does this work."""
        wanted = {"site": True, "web": machine.balanced, "entrance": machine.virtual_ip}
        return [tag for name, tag in self.tags.items() if wanted[name]]


def port_range(ports: PortRange) -> str:
    """As DigitalOcean writes it."""
    return str(ports.first) if ports.first == ports.last else f"{ports.first}-{ports.last}"


def let_in(
    ports: str,
    *,
    protocol: str = "tcp",
    source_addresses: Sequence[pulumi.Input[str]] | None = None,
    source_tags: Sequence[pulumi.Input[str]] | None = None,
    source_load_balancer_uids: Sequence[pulumi.Input[str]] | None = None,
) -> digitalocean.FirewallInboundRuleArgs:
    """A rule that lets someone in; `ports`: one, or a range such as 49152-49251."""
    return digitalocean.FirewallInboundRuleArgs(
        protocol=protocol,
        port_range=ports,
        source_addresses=source_addresses,
        source_tags=source_tags,
        source_load_balancer_uids=source_load_balancer_uids,
    )
