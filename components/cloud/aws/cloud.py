"""The Amazon cloud: all resources of a site."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pulumi

from components.cloud import interface
from components.cloud.aws.alarms import Alarms, AlarmsArgs
from components.cloud.aws.balancer import Balancer, BalancerArgs
from components.cloud.aws.bucket import Bucket, BucketArgs
from components.cloud.aws.database import Database, DatabaseArgs
from components.cloud.aws.network import Network, NetworkArgs, virtual_ip_address
from components.cloud.aws.node import Node, NodeArgs
from components.cloud.aws.preflight import architectures
from components.cloud.aws.settings import AwsSettings
from components.cloud.aws.ssh_key import SshKey
from components.cloud.aws.virtual_ip import SCRIPT, VirtualIp, VirtualIpArgs
from components.roll.turns import Turns


class Aws:
    """The site's resources on Amazon; implements `components.cloud.interface.Cloud`.

    Raises SettingsError before the first resource if Amazon lacks what the settings name.
    """

    def __init__(self, settings: AwsSettings, site: interface.SiteSpec, turns: Turns) -> None:
        architecture = architectures(settings, database=site.database)
        zones = {node.zone for node in settings.nodes.values()}
        network = Network("network", NetworkArgs(settings.network, zones, site))
        ssh_key = SshKey("login")
        zone_id = settings.balancer.zone_id
        virtual_ip = VirtualIp("entrance", VirtualIpArgs(site.domain, zone_id)) if site.virtual_ip_nodes else None
        bucket = Bucket("backups", BucketArgs(settings.protect_data)) if site.needs_bucket else None
        nodes = {
            name: Node(
                name,
                NodeArgs(
                    settings,
                    network,
                    ssh_key,
                    virtual_ip,
                    bucket,
                    architecture[settings.machine_type(name)],
                    machine,
                    turns.of(name),
                ),
            )
            for name, machine in sorted(site.machines.items())
        }

        self.cidr = network.cidr
        self.operators: Sequence[str] = [str(cidr) for cidr in settings.network.ssh_from]
        self.ssh_private_key: pulumi.Output[str] | None = ssh_key.private_key
        self.nodes: Mapping[str, interface.Node] = {name: node.node for name, node in nodes.items()}
        database = Database("database", DatabaseArgs(settings, network)) if site.database else None
        self.database = database.database if database else None
        self.bucket = bucket.bucket if bucket else None
        balancer = (
            Balancer("balancer", BalancerArgs(settings.balancer, network, site, nodes)) if site.balanced else None
        )
        self.balancer = balancer.balancer if balancer else None
        if settings.alarms:
            Alarms(
                "alarms",
                AlarmsArgs(
                    settings.alarms.mail,
                    balancer,
                    database.instance if database else None,
                    settings.database.storage_gb,
                ),
            )
        self.virtual_ip: interface.VirtualIp | None = None
        if virtual_ip:
            self.virtual_ip = interface.VirtualIp(
                address=virtual_ip.address.public_ip,
                peers={name: self.nodes[name].private_address for name in site.virtual_ip_nodes},
                depends_on=[],
                record=None if zone_id else "A",
                failover=interface.FailoverScript(
                    script=SCRIPT.read_text(),
                    params={
                        name: {
                            "ALLOCATION": virtual_ip.address.allocation_id,
                            "INSTANCE": nodes[name].instance.id,
                            "PRIVATE": virtual_ip_address(settings.network.cidr, settings.nodes[name].zone),
                            "REGION": settings.region,
                        }
                        for name in site.virtual_ip_nodes
                    },
                    secrets={},
                ),
            )
