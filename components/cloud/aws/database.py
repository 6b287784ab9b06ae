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

STORAGE_TYPE = "gp3"

NO_EXTENDED_SUPPORT = "open-source-rds-extended-support-disabled"
"""Value with which RDS upgrades a version at the end of its support, in place of billing Extended Support. It can be
set only when an instance is created (Amazon RDS user guide, "Using Amazon RDS Extended Support").
"""


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
        # A final snapshot's name can be used once. These inputs replace the instance, so each gets a name of its own.
        life = random.RandomId(
            f"{name}-life", byte_length=4, keepers={"engine": config.engine, "subnets": subnets.name}, opts=child
        )
        instance = rds.Instance(
            name,
            engine=config.engine,
            engine_version=config.engine_version,
            engine_lifecycle_support=NO_EXTENDED_SUPPORT if config.engine == "mysql" else None,
            instance_class=config.instance_class,
            allocated_storage=config.storage_gb,
            max_allocated_storage=config.storage_limit_gb,
            storage_type=STORAGE_TYPE,
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
            final_snapshot_identifier=pulumi.Output.format("{0}-{1}-final", subnets.name, life.hex),
            tags={"Name": f"{pulumi.get_stack()}-{name}", "Stack": pulumi.get_stack()},
            opts=pulumi.ResourceOptions(
                parent=self,
                protect=protect,
                retain_on_delete=protect,
                # RDS ignores a change of it (hashicorp/terraform-provider-aws#40870)
                ignore_changes=["engine_lifecycle_support"],
            ),
        )
        self.instance = instance
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
