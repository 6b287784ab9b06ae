"""The database: managed MySQL with a standby."""

from __future__ import annotations

from dataclasses import dataclass

import pulumi
import pulumi_digitalocean as digitalocean

from components.cloud import interface
from components.cloud.digitalocean.network import Network
from components.cloud.digitalocean.settings import DigitalOceanSettings

NAME = "wordpress"
"""Name of the database and of its user."""


@dataclass(frozen=True)
class DatabaseArgs:
    """`network`: the VPC of the cluster, and the tag of the droplets that may connect."""

    settings: DigitalOceanSettings
    network: Network


class Database(pulumi.ComponentResource):
    """MySQL on two nodes, open to the site's droplets only (cluster, database, user, trusted source).

    The site connects to the cluster's private host, which DigitalOcean documents for connections within the VPC (doctl
    reference, "databases connection", --private). It checks that the cluster's own authority has signed the certificate
    and that the certificate has that name; PHP cannot check one without the other (mysqlnd_vio.c). No document lists
    the certificate's names: docs/operations.md, "First deployment", has a check.
    """

    def __init__(self, name: str, args: DatabaseArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("ha-wordpress:digitalocean:Database", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        settings, network = args.settings, args.network
        protect = settings.protect_data
        # the database is protected like the cluster: deleting it deletes its tables
        data = pulumi.ResourceOptions(parent=self, protect=protect, retain_on_delete=protect)

        # the provider generates the name and the tag shows the owner, as for the data disks (node.py)
        cluster = digitalocean.DatabaseCluster(
            name,
            engine="mysql",
            version=settings.database.version,
            size=settings.database.size,
            region=settings.region,
            node_count=2,
            private_network_uuid=network.vpc,
            tags=[network.tags["site"]],
            opts=data,
        )
        database = digitalocean.DatabaseDb(NAME, cluster_id=cluster.id, name=NAME, opts=data)
        user = digitalocean.DatabaseUser(NAME, cluster_id=cluster.id, name=NAME, opts=child)
        # a cluster without a trusted source is open to the internet
        firewall = digitalocean.DatabaseFirewall(
            name,
            cluster_id=cluster.id,
            rules=[digitalocean.DatabaseFirewallRuleArgs(type="tag", value=network.tags["site"])],
            opts=child,
        )
        ca = digitalocean.get_database_ca_output(cluster_id=cluster.id, opts=pulumi.InvokeOutputOptions(parent=self))
        self.cluster = cluster
        self.database = interface.Database(
            address=cluster.private_host,
            port=cluster.port,
            name=NAME,
            user=NAME,
            password=user.password,
            administrator=False,
            ca=ca.certificate,
            reachable=[database, user, firewall],
        )
        self.register_outputs({"address": cluster.private_host})
