"""The database: RDS, on two hosts in two zones."""

from __future__ import annotations

from dataclasses import dataclass

import pulumi
import pulumi_random as random
from pulumi_aws import rds

from components.cloud import interface
from components.cloud.aws.certificates import database_ca
from components.cloud.aws.network import Network
from components.cloud.aws.settings import AwsSettings

NAME = "wordpress"
"""Of the database and of its user."""


@dataclass(frozen=True)
class DatabaseArgs:
    settings: AwsSettings
    network: Network


class Database(pulumi.ComponentResource):
    """MySQL or MariaDB that lets in nobody without TLS (instance, subnet group, parameter group, password)."""

    def __init__(self, name: str, args: DatabaseArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("ha-wordpress:aws:Database", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        wanted, network, protect = args.settings.database, args.network, args.settings.protect_data

        # letters and digits: RDS refuses some of the others
        password = random.RandomPassword(f"{name}-password", length=32, special=False, opts=child)
        subnets = rds.SubnetGroup(name, subnet_ids=list(network.subnets.values()), opts=child)
        parameters = rds.ParameterGroup(
            name,
            family=f"{wanted.engine}{'.'.join(wanted.engine_version.split('.')[:2])}",
            parameters=[rds.ParameterGroupParameterArgs(name="require_secure_transport", value="1")],
            opts=child,
        )
        instance = rds.Instance(
            name,
            engine=wanted.engine,
            engine_version=wanted.engine_version,
            instance_class=wanted.instance_class,
            allocated_storage=wanted.storage_gb,
            storage_type="gp3",
            storage_encrypted=True,
            db_name=NAME,
            username=NAME,
            password=password.result,
            db_subnet_group_name=subnets.name,
            vpc_security_group_ids=[network.database_group.id],
            parameter_group_name=parameters.name,
            multi_az=True,
            publicly_accessible=False,
            backup_retention_period=wanted.backup_days,
            copy_tags_to_snapshot=True,
            # at once, while the operator looks on, and not some night in the maintenance window
            apply_immediately=True,
            deletion_protection=protect,
            skip_final_snapshot=False,
            # the subnet group's name is this stack's own, so that a second life of the stack finds its name free
            final_snapshot_identifier=subnets.name.apply(lambda own: f"{own}-final"),
            tags={"Name": f"{pulumi.get_stack()}-{name}", "Stack": pulumi.get_stack()},
            opts=pulumi.ResourceOptions(parent=self, protect=protect, retain_on_delete=protect),
        )
        self.database = interface.Database(
            address=instance.address,
            port=instance.port,
            name=NAME,
            user=NAME,
            password=password.result,
            ca=pulumi.Output.from_input(database_ca(args.settings.region)),
            reachable=[instance, network.database_rule],
        )
        self.register_outputs({"address": instance.address})
