"""RDS: a MariaDB pair behind one name."""

from __future__ import annotations

import secrets
from typing import Literal

from rehearsal.plugins.aws.network import Subnet
from rehearsal.plugins.aws.resource_type import AwsResourceType, InputModel, Properties, Refused, Tags
from rehearsal.region.database import Account, DatabaseSpec
from rehearsal.region.endpoint import Endpoint

PORT = 3306


class SubnetGroupInputs(InputModel):
    name: str
    description: str = "Managed by Pulumi"
    subnet_ids: list[str]
    tags: Tags = {}


class SubnetGroup(AwsResourceType[SubnetGroupInputs]):
    token = "aws:rds/subnetGroup:SubnetGroup"
    prefix = "dbsubnet"
    replaces = frozenset({"name"})
    computed = frozenset({"arn", "vpcId", "supportedNetworkTypes"})
    auto_name = "name"

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
    name: str
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

    def new_id(self, inputs: ParameterGroupInputs) -> str:
        return inputs.name

    def on_create(self, resource_id: str, inputs: ParameterGroupInputs) -> Properties:
        return {"arn": self.arn("rds", f"pg:{resource_id}")}

    def settings(self, name: str) -> dict[str, str]:
        return {parameter.name: parameter.value for parameter in self.inputs_of(ParameterGroup, name).parameters}


class InstanceInputs(InputModel):
    identifier: str
    engine: Literal["mysql", "mariadb"]
    engine_version: str | None = None
    instance_class: str
    allocated_storage: int
    max_allocated_storage: int | None = None
    engine_lifecycle_support: (
        Literal["open-source-rds-extended-support", "open-source-rds-extended-support-disabled"] | None
    ) = None
    storage_type: str | None = None
    storage_encrypted: bool = False
    db_name: str
    username: str
    password: str
    db_subnet_group_name: str
    vpc_security_group_ids: list[str]
    parameter_group_name: str
    multi_az: bool = False
    backup_retention_period: int = 0
    backup_window: str | None = None
    maintenance_window: str | None = None
    deletion_protection: bool = False
    skip_final_snapshot: bool = False
    final_snapshot_identifier: str | None = None
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

    def new_id(self, inputs: InstanceInputs) -> str:
        return f"db-{secrets.token_hex(8).upper()}"

    def on_create(self, resource_id: str, inputs: InstanceInputs) -> Properties:
        if inputs.max_allocated_storage and inputs.max_allocated_storage < inputs.allocated_storage * 1.1:
            raise Refused("InvalidParameterCombination: maxAllocatedStorage is less than 10 % above allocatedStorage")
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


RESOURCE_TYPES = [SubnetGroup, ParameterGroup, Instance]
