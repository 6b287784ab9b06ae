"""The virtual IP of the balancers: an elastic IP that the active balancer moves to itself."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import pulumi
from pulumi_aws import ec2, route53

from components.cloud.aws.instance_role import instance_role
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
        self.role = instance_role(name, self.address.arn.apply(associate_policy), tags, child)
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
