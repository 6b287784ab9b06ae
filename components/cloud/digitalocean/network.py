"""The VPC, the tags of the droplets, and the firewalls that apply by tag."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi
import pulumi_digitalocean as digitalocean

from components.cloud.digitalocean.settings import DigitalOceanSettings
from components.cloud.digitalocean.vxlan_tunnel import PORT as VXLAN_PORT
from components.cloud.interface import MachineSpec, SiteSpec
from components.config.settings import PortRange

ANYWHERE = ["0.0.0.0/0", "::/0"]


@dataclass(frozen=True)
class NetworkArgs:
    """`site`: the ports to open."""

    settings: DigitalOceanSettings
    site: SiteSpec


class Network(pulumi.ComponentResource):
    """The private network of the site's droplets and their firewalls (VPC, tags, firewalls).

    Firewalls apply by tag: they protect a droplet as soon as it exists, and a new droplet changes no rule. The rules of
    all firewalls of a droplet add up, and apply to its public and its private interface. The firewall of the droplets
    behind the load balancer is in balancer.py.
    """

    def __init__(self, name: str, args: NetworkArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("ha-wordpress:digitalocean:Network", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        settings, site, stack = args.settings, args.site, pulumi.get_stack()

        vpc = digitalocean.Vpc(
            name, name=stack, region=settings.region, ip_range=str(settings.network.cidr), opts=child
        )
        self.vpc = vpc.id
        self.cidr = vpc.ip_range
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
                inbound_rule("22", source_addresses=[str(cidr) for cidr in settings.network.ssh_from]),
                *(
                    # By range, not by tag: a tag also matches the public addresses of its droplets. Only machines
                    # of this stack have addresses in the VPC's range.
                    inbound_rule(port_range(ports.range), source_addresses=[self.cidr])
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
                    *(inbound_rule(port, source_addresses=ANYWHERE) for port in ("80", "443")),
                    inbound_rule(str(VXLAN_PORT), protocol="udp", source_addresses=[self.cidr]),
                ],
                opts=child,
            )
            self.firewalls.append(virtual_ip)
        self.register_outputs({"vpc": self.vpc, "cidr": self.cidr})

    def tags_for(self, machine: MachineSpec) -> list[pulumi.Output[str]]:
        """Tags of a machine's droplet."""
        applies = {"site": True, "web": machine.balanced, "entrance": machine.virtual_ip}
        return [tag for name, tag in self.tags.items() if applies[name]]


def port_range(ports: PortRange) -> str:
    """A port range in DigitalOcean's notation."""
    return str(ports.first) if ports.first == ports.last else f"{ports.first}-{ports.last}"


def inbound_rule(
    ports: str,
    *,
    protocol: str = "tcp",
    source_addresses: Sequence[pulumi.Input[str]] | None = None,
    source_tags: Sequence[pulumi.Input[str]] | None = None,
    source_load_balancer_uids: Sequence[pulumi.Input[str]] | None = None,
) -> digitalocean.FirewallInboundRuleArgs:
    """A firewall rule that admits traffic. `ports`: one port, or a range such as 49152-49251."""
    return digitalocean.FirewallInboundRuleArgs(
        protocol=protocol,
        port_range=ports,
        source_addresses=source_addresses,
        source_tags=source_tags,
        source_load_balancer_uids=source_load_balancer_uids,
    )
