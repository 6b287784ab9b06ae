"""The VPC, the tags of the droplets, and the firewalls that apply by tag."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypedDict, Unpack

import pulumi
import pulumi_digitalocean as digitalocean
import pulumi_random as random

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

    A tag is one for the whole account, so the tags of a stack begin with the project's name and end in a random suffix:
    no other droplet has them. A stack keeps the tags that it has, because a droplet is unprotected while its tags
    change.
    """

    def __init__(self, name: str, args: NetworkArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("ha-wordpress:digitalocean:Network", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        settings, site, stack = args.settings, args.site, pulumi.get_stack()

        self.vpc: pulumi.Input[str]
        if settings.network.vpc:
            self.vpc = settings.network.vpc
            self.cidr = digitalocean.get_vpc_output(id=self.vpc, opts=pulumi.InvokeOutputOptions(parent=self)).ip_range
        else:
            vpc = digitalocean.Vpc(
                name, name=stack, region=settings.region, ip_range=str(settings.network.cidr), opts=child
            )
            self.vpc = vpc.id
            self.cidr = vpc.ip_range
        suffix = random.RandomId("tags", byte_length=4, opts=child).hex
        ends = {
            "site": "",
            "web": "-web" if site.balanced else None,
            "entrance": "-entrance" if site.virtual_ip_nodes else None,
        }
        self.tags = {
            name: digitalocean.Tag(
                name,
                name=pulumi.Output.format("{0}-{1}-{2}{3}", pulumi.get_project(), stack, suffix, end),
                opts=pulumi.ResourceOptions(parent=self, ignore_changes=["name"]),
            ).name
            for name, end in ends.items()
            if end is not None
        }

        # By range in a VPC of its own, because a tag also matches the public addresses of its droplets. By tag in a VPC
        # that has other machines.
        peers: Peers = (
            {"source_tags": [self.tags["site"]]} if settings.network.vpc else {"source_addresses": [self.cidr]}
        )
        nodes = digitalocean.Firewall(
            "nodes",
            name=pulumi.Output.format("{0}-nodes", self.tags["site"]),
            tags=[self.tags["site"]],
            inbound_rules=[
                inbound_rule("22", source_addresses=[str(cidr) for cidr in settings.network.ssh_from]),
                *(inbound_rule(port_range(ports.range), **peers) for ports in site.peers),
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
                name=self.tags["entrance"],
                tags=[self.tags["entrance"]],
                inbound_rules=[
                    *(inbound_rule(port, source_addresses=ANYWHERE) for port in ("80", "443")),
                    inbound_rule(str(VXLAN_PORT), protocol="udp", **peers),
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


class Peers(TypedDict, total=False):
    """The sources that a firewall rule admits."""

    source_addresses: Sequence[pulumi.Input[str]]
    source_tags: Sequence[pulumi.Input[str]]
    source_load_balancer_uids: Sequence[pulumi.Input[str]]


def inbound_rule(ports: str, *, protocol: str = "tcp", **peers: Unpack[Peers]) -> digitalocean.FirewallInboundRuleArgs:
    """A firewall rule that admits traffic. `ports`: one port, or a range such as 49152-49251."""
    return digitalocean.FirewallInboundRuleArgs(protocol=protocol, port_range=ports, **peers)
