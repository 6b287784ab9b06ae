"""The DigitalOcean cloud: all resources of a site."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import pulumi

from components.cloud import interface
from components.cloud.digitalocean.alarms import Alarms, AlarmsArgs
from components.cloud.digitalocean.balancer import Balancer, BalancerArgs
from components.cloud.digitalocean.bucket import Bucket, BucketArgs
from components.cloud.digitalocean.database import Database, DatabaseArgs
from components.cloud.digitalocean.network import Network, NetworkArgs
from components.cloud.digitalocean.node import Node, NodeArgs
from components.cloud.digitalocean.preflight import check
from components.cloud.digitalocean.settings import DigitalOceanSettings
from components.cloud.digitalocean.ssh_key import SshKey
from components.cloud.digitalocean.virtual_ip import VirtualIp, VirtualIpArgs
from components.roll.turns import Turns


class DigitalOcean:
    """The site's resources on DigitalOcean; implements `components.cloud.interface.Cloud`.

    Raises pulumi.RunError if DigitalOcean does not accept the stack's name as a part of resource names, and
    SettingsError if it lacks what the settings name; both before the first resource.
    """

    def __init__(self, settings: DigitalOceanSettings, site: interface.SiteSpec, turns: Turns) -> None:
        stack = pulumi.get_stack()
        # the characters that VPCs, firewalls, load balancers and tags all accept
        if not re.fullmatch(r"[a-zA-Z0-9-]+", stack):
            raise pulumi.RunError(
                f"the stack's name {stack!r} is not accepted in names on DigitalOcean; use only letters, digits and -"
            )
        check(settings, bucket=site.needs_bucket)
        network = Network("network", NetworkArgs(settings, site))
        ssh_key = SshKey("login")
        nodes = {
            name: Node(name, NodeArgs(settings, network, ssh_key, machine, turns.of(name)))
            for name, machine in site.machines.items()
        }

        self.cidr = network.cidr
        self.operators: Sequence[str] = [str(cidr) for cidr in settings.network.ssh_from]
        self.ssh_private_key: pulumi.Output[str] | None = ssh_key.private_key
        self.nodes: Mapping[str, interface.Node] = {name: node.node for name, node in nodes.items()}
        database = Database("database", DatabaseArgs(settings, network)) if site.database else None
        self.database = database.database if database else None
        self.bucket = Bucket("backups", BucketArgs(settings)).bucket if site.needs_bucket else None
        self.balancer: interface.Balancer | None = None
        if site.balanced:
            self.balancer = Balancer("balancer", BalancerArgs(settings, network, site)).balancer
        if settings.alarms:
            cluster = database.cluster if database else None
            Alarms("alarms", AlarmsArgs(settings.alarms.mail, self.balancer, site.domain, cluster))
        self.virtual_ip: interface.VirtualIp | None = None
        if site.virtual_ip_nodes:
            balancers = {name: nodes[name] for name in site.virtual_ip_nodes}
            self.virtual_ip = VirtualIp("entrance", VirtualIpArgs(settings, site.domain, balancers)).virtual_ip
