"""The virtual IP of the balancers: an elastic IP that the active balancer moves to itself."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import pulumi
from pulumi_aws import ec2, iam, route53

from components.formerly import formerly

SCRIPT = Path(__file__).with_name("failover.sh")


@dataclass(frozen=True)
class VirtualIpArgs:
    """`domain`: the site's, if it has one. `zone_id`: the hosted zone that gets the domain's record, if the settings
    name one.
    """

    domain: str | None
    zone_id: str | None


class VirtualIp(pulumi.ComponentResource):
    """An elastic IP, and the permission for instances to move it (elastic IP, role, policy, instance profile).

    With a hosted zone also the domain's DNS record.

    The elastic IP maps to a second private address of the balancer (network.py). On the first private address it would
    replace the machine's public address, which `pulumi up` connects to (EC2 user guide, "Elastic IP addresses").
    """

    def __init__(self, name: str, args: VirtualIpArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("ha-wordpress:aws:VirtualIp", name, None, formerly("ha-wordpress:aws:Entrance", opts))
        child = pulumi.ResourceOptions(parent=self)
        tags = {"Name": f"{pulumi.get_stack()}-{name}", "Stack": pulumi.get_stack()}
        self.address = ec2.Eip(name, domain="vpc", tags=tags, opts=child)
        role = iam.Role(name, assume_role_policy=json.dumps(ASSUMED_BY_EC2), tags=tags, opts=child)
        policy = iam.RolePolicy(name, role=role.id, policy=self.address.arn.apply(associate_policy), opts=child)
        profile = iam.InstanceProfile(name, role=role.name, tags=tags, opts=child)
        self.profile = profile.name
        self.permissions: list[pulumi.Resource] = [policy]
        if args.domain and args.zone_id:
            route53.Record(
                "site",
                zone_id=args.zone_id,
                name=args.domain,
                type="A",
                records=[self.address.public_ip],
                ttl=300,
                opts=child,
            )
        self.register_outputs({"address": self.address.public_ip})


ASSUMED_BY_EC2 = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}],
}


def associate_policy(address: str) -> str:
    """IAM policy that lets an instance associate this elastic IP and no other. `address`: the elastic IP's ARN."""
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
