"""RDS: a MariaDB pair behind one name."""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import Field

from rehearsal.plugins.aws.network import Subnet
from rehearsal.plugins.aws.resource_type import (
    AwsResourceType,
    Call,
    InputModel,
    Properties,
    Refused,
    SecurityGroups,
    Tags,
    matching,
    tag_list,
)
from rehearsal.region.database import Account, DatabaseSpec
from rehearsal.region.endpoint import Endpoint

PORT = 3306

CODE = "InvalidParameterValue"
RULES = "letters, digits and hyphens, a letter first, no hyphen last and no two together"
HYPHENATED = r"(?!.*--)(?!.*-$)[a-zA-Z][a-zA-Z0-9-]"
TIME = r"([01]\d|2[0-3]):[0-5]\d"
DAY = "(mon|tue|wed|thu|fri|sat|sun)"

# The rules of names, the password, windows and sizes are those of the API reference of CreateDBInstance,
# CreateDBSubnetGroup, CreateDBParameterGroup and DeleteDBInstance, in botocore's documentation of each member.
Identifier = Annotated[str, matching(rf"{HYPHENATED}{{0,62}}", CODE, f"an instance's identifier: 1 to 63 {RULES}")]
GroupName = Annotated[str, matching(rf"{HYPHENATED}{{0,254}}", CODE, f"a parameter group's name: 1 to 255 {RULES}")]
Snapshot = Annotated[str, matching(rf"{HYPHENATED}{{0,254}}", CODE, f"a snapshot's identifier: 1 to 255 {RULES}")]
SubnetGroupName = Annotated[
    str,
    matching(
        r"(?!default$)[a-zA-Z][a-zA-Z0-9._ -]{0,254}",
        CODE,
        "a subnet group's name: 1 to 255 letters, digits, periods, underscores, spaces and hyphens, not default",
    ),
]
Class = Annotated[str, matching(r"db\.[a-z0-9-]+\.[a-z0-9]+", CODE, "an instance class")]
DatabaseName = Annotated[
    str, matching(r"[a-zA-Z][a-zA-Z0-9_]{0,63}", CODE, "a database's name: 1 to 64 letters, digits and _")
]
User = Annotated[str, matching(r"[a-zA-Z][a-zA-Z0-9_]{0,15}", CODE, "a user's name: 1 to 16 letters, digits and _")]
BackupWindow = Annotated[str, matching(rf"{TIME}-{TIME}", CODE, "a time range such as 03:00-04:00")]
MaintenanceWindow = Annotated[
    str, matching(rf"{DAY}:{TIME}-{DAY}:{TIME}", CODE, "a time range such as sun:05:00-sun:06:00")
]

STORAGE = {"gp2": (20, 65536), "gp3": (20, 65536), "io1": (100, 65536), "io2": (100, 65536), "standard": (5, 3072)}
"""Least and greatest size of the storage of MySQL and MariaDB, in GiB."""


class SubnetGroupInputs(InputModel):
    name: SubnetGroupName
    description: str = "Managed by Pulumi"
    subnet_ids: list[str]
    tags: Tags = {}


class SubnetGroup(AwsResourceType[SubnetGroupInputs]):
    token = "aws:rds/subnetGroup:SubnetGroup"
    prefix = "dbsubnet"
    replaces = frozenset({"name"})
    computed = frozenset({"arn", "vpcId", "supportedNetworkTypes"})
    auto_name = "name"

    def calls(self, inputs: SubnetGroupInputs) -> Iterator[Call]:
        yield Call(
            "rds",
            "CreateDBSubnetGroup",
            DBSubnetGroupName=inputs.name,
            DBSubnetGroupDescription=inputs.description,
            SubnetIds=inputs.subnet_ids,
            Tags=tag_list(inputs.tags),
        )

    def new_id(self, inputs: SubnetGroupInputs) -> str:
        return inputs.name

    def on_create(self, resource_id: str, inputs: SubnetGroupInputs) -> Properties:
        zones = {self.inputs_of(Subnet, subnet).availability_zone for subnet in inputs.subnet_ids}
        if len(zones) < 2:
            raise Refused(
                f"DBSubnetGroupDoesNotCoverEnoughAZs: {resource_id} covers {', '.join(zones)}; two zones are needed"
            )
        return {"arn": self.arn("rds", f"subgrp:{resource_id}"), "vpcId": "", "supportedNetworkTypes": ["IPV4"]}


class Parameter(InputModel):
    name: str
    value: str
    apply_method: Literal["immediate", "pending-reboot"] = "immediate"


class ParameterGroupInputs(InputModel):
    name: GroupName
    description: str = "Managed by Pulumi"
    family: str
    parameters: list[Parameter] = []
    tags: Tags = {}


class ParameterGroup(AwsResourceType[ParameterGroupInputs]):
    token = "aws:rds/parameterGroup:ParameterGroup"
    prefix = "dbparameters"
    replaces = frozenset({"name", "family"})
    computed = frozenset({"arn"})
    auto_name = "name"

    def calls(self, inputs: ParameterGroupInputs) -> Iterator[Call]:
        yield Call(
            "rds",
            "CreateDBParameterGroup",
            DBParameterGroupName=inputs.name,
            DBParameterGroupFamily=inputs.family,
            Description=inputs.description,
            Tags=tag_list(inputs.tags),
        )
        parameters = [
            {
                "ParameterName": parameter.name,
                "ParameterValue": parameter.value,
                "ApplyMethod": parameter.apply_method,
            }
            for parameter in inputs.parameters
        ]
        if parameters:
            yield Call("rds", "ModifyDBParameterGroup", DBParameterGroupName=inputs.name, Parameters=parameters)

    def new_id(self, inputs: ParameterGroupInputs) -> str:
        return inputs.name

    def on_create(self, resource_id: str, inputs: ParameterGroupInputs) -> Properties:
        return {"arn": self.arn("rds", f"pg:{resource_id}")}

    def settings(self, name: str) -> dict[str, str]:
        return {parameter.name: parameter.value for parameter in self.inputs_of(ParameterGroup, name).parameters}


class InstanceInputs(InputModel):
    identifier: Identifier
    engine: Literal["mysql", "mariadb"]
    engine_version: str | None = None
    instance_class: Class
    allocated_storage: int
    max_allocated_storage: int | None = None
    engine_lifecycle_support: (
        Literal["open-source-rds-extended-support", "open-source-rds-extended-support-disabled"] | None
    ) = None
    storage_type: Literal["gp2", "gp3", "io1", "io2", "standard"] | None = None
    storage_encrypted: bool = False
    db_name: DatabaseName
    username: User
    password: str
    db_subnet_group_name: str
    vpc_security_group_ids: SecurityGroups
    parameter_group_name: str
    multi_az: bool = False
    backup_retention_period: Annotated[int, Field(ge=0, le=35)] = 0
    backup_window: BackupWindow | None = None
    maintenance_window: MaintenanceWindow | None = None
    deletion_protection: bool = False
    skip_final_snapshot: bool = False
    final_snapshot_identifier: Snapshot | None = None
    publicly_accessible: bool = False
    apply_immediately: bool = False
    auto_minor_version_upgrade: bool = True
    copy_tags_to_snapshot: bool = False
    ca_cert_identifier: str | None = None
    tags: Tags = {}


class Instance(AwsResourceType[InstanceInputs]):
    """A database instance: MariaDB, for both values of `engine`."""

    token = "aws:rds/instance:Instance"
    prefix = "db"
    replaces = frozenset(
        {"identifier", "engine", "dbName", "username", "storageEncrypted", "dbSubnetGroupName", "availabilityZone"}
    )
    in_place = frozenset(
        {
            "deletion_protection", "skip_final_snapshot", "final_snapshot_identifier", "backup_retention_period",
            "max_allocated_storage", "tags",
        }
    )  # fmt: skip
    computed = frozenset({"address", "endpoint", "port", "arn", "resourceId", "status", "hostedZoneId"})
    auto_name = "identifier"
    not_sent = frozenset({"skip_final_snapshot", "final_snapshot_identifier", "apply_immediately"})

    def calls(self, inputs: InstanceInputs) -> Iterator[Call]:
        yield Call(
            "rds",
            "CreateDBInstance",
            DBInstanceIdentifier=inputs.identifier,
            DBInstanceClass=inputs.instance_class,
            Engine=inputs.engine,
            EngineVersion=inputs.engine_version,
            AllocatedStorage=inputs.allocated_storage,
            MaxAllocatedStorage=inputs.max_allocated_storage,
            EngineLifecycleSupport=inputs.engine_lifecycle_support,
            StorageType=inputs.storage_type,
            StorageEncrypted=inputs.storage_encrypted,
            DBName=inputs.db_name,
            MasterUsername=inputs.username,
            MasterUserPassword=inputs.password,
            DBSubnetGroupName=inputs.db_subnet_group_name,
            VpcSecurityGroupIds=inputs.vpc_security_group_ids,
            DBParameterGroupName=inputs.parameter_group_name,
            MultiAZ=inputs.multi_az,
            BackupRetentionPeriod=inputs.backup_retention_period,
            PreferredBackupWindow=inputs.backup_window,
            PreferredMaintenanceWindow=inputs.maintenance_window,
            DeletionProtection=inputs.deletion_protection,
            PubliclyAccessible=inputs.publicly_accessible,
            AutoMinorVersionUpgrade=inputs.auto_minor_version_upgrade,
            CopyTagsToSnapshot=inputs.copy_tags_to_snapshot,
            CACertificateIdentifier=inputs.ca_cert_identifier,
            Tags=tag_list(inputs.tags),
        )

    def new_id(self, inputs: InstanceInputs) -> str:
        return f"db-{secrets.token_hex(8).upper()}"

    def on_create(self, resource_id: str, inputs: InstanceInputs) -> Properties:
        refuse(inputs)
        if inputs.engine_lifecycle_support and inputs.engine == "mariadb":
            raise Refused("InvalidParameterCombination: engineLifecycleSupport applies to MySQL and PostgreSQL only")
        group = self.inputs_of(SubnetGroup, inputs.db_subnet_group_name)
        subnets = {self.inputs_of(Subnet, subnet).availability_zone: subnet for subnet in group.subnet_ids}
        chosen = sorted(subnets)[: 2 if inputs.multi_az else 1]
        ports = [
            self.region.network.new_port(
                "ens5",
                self.inputs_of(Subnet, subnets[zone]).cidr_block,
                tuple(inputs.vpc_security_group_ids),
            )
            for zone in chosen
        ]
        endpoints = [
            Endpoint(f"db{letter}-{resource_id[3:11].lower()}", (port,))
            for letter, port in zip("ab", ports, strict=False)
        ]
        name = f"{inputs.identifier}.c{resource_id[3:15].lower()}.{self.region.name}.rds.amazonaws.com"
        self.region.new_database(
            resource_id,
            DatabaseSpec(
                name=name,
                endpoints=endpoints,
                port=PORT,
                account=Account(inputs.db_name, inputs.username, inputs.password),
                variables=self.settings(inputs),
            ),
        )
        return {
            "address": name, "endpoint": f"{name}:{PORT}", "port": PORT,
            "arn": self.arn("rds", f"db:{inputs.identifier}"), "resourceId": resource_id, "status": "available",
            "hostedZoneId": "",
        }  # fmt: skip

    def settings(self, inputs: InstanceInputs) -> dict[str, str]:
        return ParameterGroup(self.region).settings(inputs.parameter_group_name)

    def on_delete(self, resource_id: str, inputs: InstanceInputs) -> None:
        if inputs.deletion_protection:
            raise Refused(f"InvalidParameterCombination: Cannot delete protected DB Instance {inputs.identifier}")
        if not inputs.skip_final_snapshot:
            if not inputs.final_snapshot_identifier:
                raise Refused(
                    "InvalidParameterCombination: finalSnapshotIdentifier is required unless skipFinalSnapshot is set"
                )
            snapshot = self.region.new_snapshot(inputs.final_snapshot_identifier)
            if snapshot.exists():
                raise Refused(f"DBSnapshotAlreadyExists: {inputs.final_snapshot_identifier} exists already")
            self.region.databases[resource_id].dump(snapshot)
        self.region.databases.pop(resource_id).destroy()


def refuse(inputs: InstanceInputs) -> None:
    """Raise RDS's error for a storage or a password that it refuses.

    Source of the 10 %: Amazon RDS User Guide, "Managing capacity automatically with storage autoscaling".
    """
    least, greatest = STORAGE[inputs.storage_type or "gp2"]
    if not least <= inputs.allocated_storage <= greatest:
        raise Refused(f"{CODE}: an allocated storage of {inputs.allocated_storage} GiB is not {least} to {greatest}")
    if inputs.max_allocated_storage and inputs.max_allocated_storage < inputs.allocated_storage * 1.1:
        raise Refused("InvalidParameterCombination: maxAllocatedStorage is less than 10 % above allocatedStorage")
    if not re.fullmatch(r"[!-~]{8,41}", inputs.password) or set('/"@') & set(inputs.password):
        raise Refused(
            f'{CODE}: MasterUserPassword must be 8 to 41 printable ASCII characters other than / " @ and space'
        )


RESOURCE_TYPES = [SubnetGroup, ParameterGroup, Instance]
