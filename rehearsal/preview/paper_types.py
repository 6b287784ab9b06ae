"""Resource types that exist on paper only: the rehearsal cannot do on its machines what the cloud does with them.

What a change replaces is as in terraform-provider-aws and terraform-provider-digitalocean.
"""

from __future__ import annotations

import secrets
from typing import Any

from rehearsal.plugins.aws import compute
from rehearsal.plugins.aws import network as aws_network
from rehearsal.plugins.aws.resource_type import ACCOUNT, AwsResourceType, InputModel, Properties, Tags
from rehearsal.plugins.cloud import CloudResourceType
from rehearsal.plugins.digitalocean import network


class InstanceInputs(compute.InstanceInputs):
    iam_instance_profile: str | None = None
    secondary_private_ips: list[str] = []


class Instance(compute.Instance):
    """An instance with a role and with more private addresses than one."""

    Inputs = InstanceInputs
    in_place = compute.Instance.in_place | {"iam_instance_profile", "secondary_private_ips"}


VRRP = "112"


class SecurityGroupIngressRule(aws_network.SecurityGroupIngressRule):
    protocols = aws_network.SecurityGroupIngressRule.protocols | {VRRP}


class SecurityGroupEgressRule(aws_network.SecurityGroupEgressRule):
    protocols = aws_network.SecurityGroupEgressRule.protocols | {VRRP}


class RoleInputs(InputModel):
    name: str
    assume_role_policy: str
    tags: Tags = {}


class Role(AwsResourceType[RoleInputs]):
    token = "aws:iam/role:Role"
    prefix = "role"
    replaces = frozenset({"name"})
    in_place = frozenset({"assume_role_policy", "tags"})
    computed = frozenset({"arn", "uniqueId"})
    auto_name = "name"

    def new_id(self, inputs: RoleInputs) -> str:
        return inputs.name

    def on_create(self, resource_id: str, inputs: RoleInputs) -> Properties:
        return {"arn": f"arn:aws:iam::{ACCOUNT}:role/{resource_id}", "uniqueId": f"AROA{secrets.token_hex(8).upper()}"}


class RolePolicyInputs(InputModel):
    name: str
    role: str
    policy: str


class RolePolicy(AwsResourceType[RolePolicyInputs]):
    token = "aws:iam/rolePolicy:RolePolicy"
    prefix = "policy"
    replaces = frozenset({"name", "role"})
    in_place = frozenset({"policy"})
    auto_name = "name"

    def new_id(self, inputs: RolePolicyInputs) -> str:
        return f"{inputs.role}:{inputs.name}"


class InstanceProfileInputs(InputModel):
    name: str
    role: str
    tags: Tags = {}


class InstanceProfile(AwsResourceType[InstanceProfileInputs]):
    token = "aws:iam/instanceProfile:InstanceProfile"
    prefix = "profile"
    replaces = frozenset({"name"})
    in_place = frozenset({"role", "tags"})
    computed = frozenset({"arn", "uniqueId"})
    auto_name = "name"

    def new_id(self, inputs: InstanceProfileInputs) -> str:
        return inputs.name

    def on_create(self, resource_id: str, inputs: InstanceProfileInputs) -> Properties:
        arn = f"arn:aws:iam::{ACCOUNT}:instance-profile/{resource_id}"
        return {"arn": arn, "uniqueId": f"AIPA{secrets.token_hex(8).upper()}"}


class ReservedIpInputs(network.ReservedIpInputs):
    droplet_id: int | None = None


class ReservedIp(network.ReservedIp):
    """A reserved IP that a droplet gets when it is made."""

    Inputs = ReservedIpInputs
    in_place = frozenset({"droplet_id"})


AWS: list[type[CloudResourceType[Any]]] = [
    Instance,
    SecurityGroupIngressRule,
    SecurityGroupEgressRule,
    Role,
    RolePolicy,
    InstanceProfile,
]
DIGITALOCEAN: list[type[CloudResourceType[Any]]] = [ReservedIp]
