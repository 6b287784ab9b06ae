"""The database: RDS, with a standby in a second zone."""

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
"""Name of the database and of its user."""


@dataclass(frozen=True)
class DatabaseArgs:
    """`network`: subnets and security group of the database."""

    settings: AwsSettings
    network: Network


class Database(pulumi.ComponentResource):
    """MySQL or MariaDB that requires TLS (instance, subnet group, parameter group, password)."""

    def __init__(self, name: str, args: DatabaseArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("ha-wordpress:aws:Database", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        config, network, protect = args.settings.database, args.network, args.settings.protect_data

        # letters and digits only: RDS refuses some other characters
        password = random.RandomPassword(f"{name}-password", length=32, special=False, opts=child)
        subnets = rds.SubnetGroup(name, subnet_ids=list(network.subnets.values()), opts=child)
        parameters = rds.ParameterGroup(
            name,
            family=f"{config.engine}{'.'.join(config.engine_version.split('.')[:2])}",
            parameters=[rds.ParameterGroupParameterArgs(name="require_secure_transport", value="1")],
            opts=child,
        )
        instance = rds.Instance(
            name,
            engine=config.engine,
            engine_version=config.engine_version,
            instance_class=config.instance_class,
            allocated_storage=config.storage_gb,
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
            backup_retention_period=config.backup_days,
            copy_tags_to_snapshot=True,
            # while the operator is present, not later in the maintenance window
            apply_immediately=True,
            deletion_protection=protect,
            skip_final_snapshot=False,
            # the subnet group's name is unique, so that destroying a later stack does not clash with this snapshot
            final_snapshot_identifier=subnets.name.apply(lambda group: f"{group}-final"),
            tags={"Name": f"{pulumi.get_stack()}-{name}", "Stack": pulumi.get_stack()},
            opts=pulumi.ResourceOptions(parent=self, protect=protect, retain_on_delete=protect),
        )
        self.database = interface.Database(
            address=instance.address,
            port=instance.port,
            name=NAME,
            user=NAME,
            password=password.result,
            administrator=True,
            ca=pulumi.Output.from_input(database_ca(args.settings.region)),
            reachable=[instance, network.database_rule],
        )
        self.register_outputs({"address": instance.address})
