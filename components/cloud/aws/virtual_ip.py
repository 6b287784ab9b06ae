"""The one address that the balancers share: an elastic IP, moved by whoever takes over."""

from __future__ import annotations

import json
from pathlib import Path

import pulumi
from pulumi_aws import ec2, iam

from components.formerly import formerly

SCRIPT = Path(__file__).with_name("failover.sh")


class VirtualIp(pulumi.ComponentResource):
    """An address that stays, and the right to move it (elastic IP, role, policy, instance profile).

    It comes to a second private address of the balancer (network.py): on the first one it would take the place of the
    machine's own public address, by which `pulumi up` logs in (EC2 user guide, "Elastic IP addresses").
    """

    def __init__(self, name: str, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("ha-wordpress:aws:VirtualIp", name, None, formerly("ha-wordpress:aws:Entrance", opts))
        child = pulumi.ResourceOptions(parent=self)
        tags = {"Name": f"{pulumi.get_stack()}-{name}", "Stack": pulumi.get_stack()}
        self.address = ec2.Eip(name, domain="vpc", tags=tags, opts=child)
        role = iam.Role(name, assume_role_policy=json.dumps(MAY_BE_AN_INSTANCE), tags=tags, opts=child)
        policy = iam.RolePolicy(name, role=role.id, policy=self.address.arn.apply(may_move), opts=child)
        profile = iam.InstanceProfile(name, role=role.name, tags=tags, opts=child)
        self.profile = profile.name
        self.rights: list[pulumi.Resource] = [policy]
        self.register_outputs({"address": self.address.public_ip})


MAY_BE_AN_INSTANCE = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}],
}


def may_move(address: str) -> str:
    """The policy that lets an instance take this address, and no other; `address`: its ARN."""
    account = address.rsplit(":", 1)[0]
    return json.dumps(
        {
            "Version": "2012-10-17",
            "Statement": [
                {
                    "Effect": "Allow",
                    "Action": "ec2:AssociateAddress",
                    "Resource": [address, f"{account}:instance/*", f"{account}:network-interface/*"],
                }
            ],
        }
    )
