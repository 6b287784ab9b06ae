"""The permissions of an instance's own processes: a role, whose credentials it gets from its metadata service."""

from __future__ import annotations

import json
from dataclasses import dataclass

import pulumi
from pulumi_aws import iam

ASSUMED_BY_EC2 = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}],
}


@dataclass(frozen=True)
class InstanceRole:
    """`profile`: name of the instance profile. `permissions`: resources that an instance with it waits for."""

    profile: pulumi.Output[str]
    permissions: list[pulumi.Resource]


def instance_role(
    name: str, policy: pulumi.Output[str], tags: dict[str, str], opts: pulumi.ResourceOptions
) -> InstanceRole:
    """A role that instances can have, and no more rights than a policy's (role, policy, instance profile).

    `policy`: the IAM policy, as JSON.
    """
    role = iam.Role(name, assume_role_policy=json.dumps(ASSUMED_BY_EC2), tags=tags, opts=opts)
    permission = iam.RolePolicy(name, role=role.id, policy=policy, opts=opts)
    profile = iam.InstanceProfile(name, role=role.name, tags=tags, opts=opts)
    return InstanceRole(profile.name, [permission])
