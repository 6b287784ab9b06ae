"""Resource types that exist on paper only: the rehearsal cannot do on its machines what the cloud does with them.

What a change replaces is as in terraform-provider-aws and terraform-provider-digitalocean.
"""

from __future__ import annotations

import ipaddress
import re
from typing import Any

from rehearsal.plugins.aws import compute, iam
from rehearsal.plugins.aws import network as aws_network
from rehearsal.plugins.aws.resource_type import Properties, Refused
from rehearsal.plugins.cloud import CloudResourceType
from rehearsal.plugins.digitalocean import network

ADDRESSES = {"nano": 2, "micro": 2, "small": 4, "medium": 6, "large": 12, "xlarge": 15, "2xlarge": 15}
"""Private addresses of the first interface of an instance type t2, t3, t3a and t4g, by its size.

Source: Amazon EC2 User Guide, "IP addresses per network interface".
"""
ADDRESSES_OF_OTHERS = {"medium": 4, "large": 10, "xlarge": 15, "2xlarge": 15}
"""The same of all other instance types; larger ones have 30 or more."""


class InstanceInputs(compute.InstanceInputs):
    secondary_private_ips: list[str] = []


class Instance(compute.Instance):
    """An instance with more private addresses than one."""

    Inputs = InstanceInputs
    in_place = compute.Instance.in_place | {"secondary_private_ips"}

    def interface(self, inputs: compute.InstanceInputs) -> Properties:
        assert isinstance(inputs, InstanceInputs)
        addresses = [{"PrivateIpAddress": address, "Primary": False} for address in inputs.secondary_private_ips]
        return super().interface(inputs) | {"PrivateIpAddresses": addresses}

    def on_create(self, resource_id: str, inputs: compute.InstanceInputs) -> Properties:
        assert isinstance(inputs, InstanceInputs)
        subnet = self.inputs_of(aws_network.Subnet, inputs.subnet_id).cidr_block
        family, size = inputs.instance_type.split(".")
        most = (ADDRESSES if re.fullmatch("t(2|3|3a|4g)", family) else ADDRESSES_OF_OTHERS).get(size, 30)
        if 1 + len(inputs.secondary_private_ips) > most:
            raise Refused(f"PrivateIpAddressLimitExceeded: {inputs.instance_type} has {most} private addresses at most")
        for address in map(ipaddress.IPv4Address, inputs.secondary_private_ips):
            # Amazon keeps the first four and the last one
            if address not in subnet or not 4 <= int(address) - int(subnet.network_address) < subnet.num_addresses - 1:
                raise Refused(f"InvalidParameterValue: address {address} is not one of {inputs.subnet_id}'s ({subnet})")
        return super().on_create(resource_id, inputs)


VRRP = "112"


class SecurityGroupIngressRule(aws_network.SecurityGroupIngressRule):
    protocols = aws_network.SecurityGroupIngressRule.protocols | {VRRP}


class SecurityGroupEgressRule(aws_network.SecurityGroupEgressRule):
    protocols = aws_network.SecurityGroupEgressRule.protocols | {VRRP}


class RolePolicy(iam.RolePolicy):
    """The rights of a role on any service."""

    def on_create(self, resource_id: str, inputs: iam.RolePolicyInputs) -> Properties:
        return {}

    def on_update(self, resource_id: str, old: iam.RolePolicyInputs, new: iam.RolePolicyInputs) -> Properties:
        return {}


class ReservedIpInputs(network.ReservedIpInputs):
    droplet_id: int | None = None


class ReservedIp(network.ReservedIp):
    """A reserved IP that a droplet gets when it is made."""

    Inputs = ReservedIpInputs
    in_place = frozenset({"droplet_id"})

    def on_create(self, resource_id: str, inputs: network.ReservedIpInputs) -> Properties:
        assert isinstance(inputs, ReservedIpInputs)
        others = [other for other in self.existing(ReservedIp).values() if isinstance(other, ReservedIpInputs)]
        if inputs.droplet_id and any(other.droplet_id == inputs.droplet_id for other in others):
            # DigitalOcean documentation, "Droplet Limits"
            raise Refused(f"{self.token}: 422 the droplet {inputs.droplet_id} has a reserved IP already")
        return super().on_create(resource_id, inputs)


AWS: list[type[CloudResourceType[Any]]] = [
    Instance,
    SecurityGroupIngressRule,
    SecurityGroupEgressRule,
    RolePolicy,
]
DIGITALOCEAN: list[type[CloudResourceType[Any]]] = [ReservedIp]
