"""VPC, subnets, routes and security groups."""

from __future__ import annotations

import ipaddress
from typing import ClassVar

from rehearsal.plugins.aws.resource_type import ACCOUNT, AwsResourceType, InputModel, Properties, Refused, Tags, Zone
from rehearsal.region.firewall import Group, Rule


class VpcInputs(InputModel):
    cidr_block: ipaddress.IPv4Network
    enable_dns_hostnames: bool = False
    enable_dns_support: bool = True
    tags: Tags = {}


class Vpc(AwsResourceType[VpcInputs]):
    token = "aws:ec2/vpc:Vpc"
    prefix = "vpc"
    replaces = frozenset({"cidrBlock", "instanceTenancy"})
    computed = frozenset({"arn", "mainRouteTableId", "defaultSecurityGroupId", "ownerId"})

    def on_create(self, resource_id: str, inputs: VpcInputs) -> Properties:
        if not 16 <= inputs.cidr_block.prefixlen <= 28:
            raise Refused(f"InvalidVpc.Range: {inputs.cidr_block} is not between /16 and /28")
        if self.existing(Vpc):
            raise Refused("the rehearsal's router joins one VPC; a second one is not supported")
        return {
            "arn": self.arn("ec2", f"vpc/{resource_id}"),
            "mainRouteTableId": "",
            "defaultSecurityGroupId": "",
            "ownerId": ACCOUNT,
        }


class InternetGatewayInputs(InputModel):
    vpc_id: str
    tags: Tags = {}


class InternetGateway(AwsResourceType[InternetGatewayInputs]):
    token = "aws:ec2/internetGateway:InternetGateway"
    prefix = "igw"
    computed = frozenset({"arn", "ownerId"})

    def on_create(self, resource_id: str, inputs: InternetGatewayInputs) -> Properties:
        return {"arn": self.arn("ec2", f"internet-gateway/{resource_id}"), "ownerId": ACCOUNT}


class SubnetInputs(InputModel):
    vpc_id: str
    cidr_block: ipaddress.IPv4Network
    availability_zone: Zone
    map_public_ip_on_launch: bool = False
    tags: Tags = {}


class Subnet(AwsResourceType[SubnetInputs]):
    token = "aws:ec2/subnet:Subnet"
    prefix = "subnet"
    replaces = frozenset({"vpcId", "cidrBlock", "availabilityZone"})
    computed = frozenset({"arn", "ownerId"})

    def on_create(self, resource_id: str, inputs: SubnetInputs) -> Properties:
        vpc = self.inputs_of(Vpc, inputs.vpc_id)
        if not inputs.cidr_block.subnet_of(vpc.cidr_block):
            raise Refused(f"InvalidSubnet.Range: {inputs.cidr_block} is not within {vpc.cidr_block}")
        for other, subnet in self.existing(Subnet).items():
            if subnet.cidr_block.overlaps(inputs.cidr_block):
                raise Refused(f"InvalidSubnet.Conflict: {inputs.cidr_block} overlaps {other}")
        return {"arn": self.arn("ec2", f"subnet/{resource_id}"), "ownerId": ACCOUNT}


class Route(InputModel):
    cidr_block: ipaddress.IPv4Network
    gateway_id: str


class RouteTableInputs(InputModel):
    vpc_id: str
    routes: list[Route] = []
    tags: Tags = {}


class RouteTable(AwsResourceType[RouteTableInputs]):
    token = "aws:ec2/routeTable:RouteTable"
    prefix = "rtb"
    replaces = frozenset({"vpcId"})
    computed = frozenset({"arn", "ownerId"})

    def on_create(self, resource_id: str, inputs: RouteTableInputs) -> Properties:
        return {"arn": self.arn("ec2", f"route-table/{resource_id}"), "ownerId": ACCOUNT}


class RouteOfTableInputs(InputModel):
    route_table_id: str
    destination_cidr_block: ipaddress.IPv4Network
    gateway_id: str


class RouteOfTable(AwsResourceType[RouteOfTableInputs]):
    token = "aws:ec2/route:Route"
    prefix = "r"
    replaces = frozenset({"routeTableId", "destinationCidrBlock"})
    computed = frozenset({"origin", "state"})

    def on_create(self, resource_id: str, inputs: RouteOfTableInputs) -> Properties:
        return {"origin": "CreateRoute", "state": "active"}


class RouteTableAssociationInputs(InputModel):
    route_table_id: str
    subnet_id: str


class RouteTableAssociation(AwsResourceType[RouteTableAssociationInputs]):
    token = "aws:ec2/routeTableAssociation:RouteTableAssociation"
    prefix = "rtbassoc"
    replaces = frozenset({"subnetId"})


class SecurityGroupInputs(InputModel):
    name: str
    description: str = "Managed by Pulumi"
    vpc_id: str
    revoke_rules_on_delete: bool = False
    tags: Tags = {}


class SecurityGroup(AwsResourceType[SecurityGroupInputs]):
    """A security group. Its rules are resources of their own; inline rules are not supported."""

    token = "aws:ec2/securityGroup:SecurityGroup"
    prefix = "sg"
    replaces = frozenset({"name", "vpcId", "description"})
    computed = frozenset({"arn", "ownerId"})
    auto_name = "name"
    # deleting a group deletes its rules, as in the cloud
    may_outlive = frozenset({
        "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule",
        "aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule",
    })  # fmt: skip

    def on_create(self, resource_id: str, inputs: SecurityGroupInputs) -> Properties:
        self.region.network.groups[resource_id] = Group()
        return {"arn": self.arn("ec2", f"security-group/{resource_id}"), "ownerId": ACCOUNT}

    def on_delete(self, resource_id: str, inputs: SecurityGroupInputs) -> None:
        del self.region.network.groups[resource_id]
        self.region.network.apply()


class SecurityGroupRuleInputs(InputModel):
    security_group_id: str
    ip_protocol: str
    from_port: int | None = None
    to_port: int | None = None
    cidr_ipv4: ipaddress.IPv4Network | None = None
    referenced_security_group_id: str | None = None
    description: str | None = None
    tags: Tags = {}


class SecurityGroupRule(AwsResourceType[SecurityGroupRuleInputs]):
    """One permission; the router applies it at once."""

    protocols: ClassVar[frozenset[str]] = frozenset({"-1", "tcp", "udp", "icmp"})
    """The protocols that the router filters, as AWS writes them."""
    prefix = "sgr"
    replaces = frozenset({"securityGroupId"})
    in_place = frozenset({
        "ip_protocol", "from_port", "to_port", "cidr_ipv4", "referenced_security_group_id", "description", "tags",
    })  # fmt: skip
    computed = frozenset({"arn", "securityGroupRuleId"})

    def rules(self, group: Group) -> dict[str, Rule]:
        raise NotImplementedError

    def on_create(self, resource_id: str, inputs: SecurityGroupRuleInputs) -> Properties:
        peers = [peer for peer in (inputs.cidr_ipv4, inputs.referenced_security_group_id) if peer is not None]
        if len(peers) != 1:
            raise Refused(f"{self.token}: exactly one of cidrIpv4 and referencedSecurityGroupId is needed")
        if inputs.ip_protocol not in self.protocols:
            raise Refused(f"{self.token}: protocol {inputs.ip_protocol} is not supported by the rehearsal")
        if inputs.ip_protocol in ("tcp", "udp") and (inputs.from_port is None or inputs.to_port is None):
            raise Refused(f"{self.token}: InvalidParameterValue: {inputs.ip_protocol} needs fromPort and toPort")
        rule = Rule(inputs.ip_protocol, inputs.from_port or 0, inputs.to_port or 0, peers[0])
        self.rules(self.region.network.groups[inputs.security_group_id])[resource_id] = rule
        self.region.network.apply()
        return {"arn": self.arn("ec2", f"security-group-rule/{resource_id}"), "securityGroupRuleId": resource_id}

    def on_update(self, resource_id: str, old: SecurityGroupRuleInputs, new: SecurityGroupRuleInputs) -> Properties:
        return self.on_create(resource_id, new)

    def on_delete(self, resource_id: str, inputs: SecurityGroupRuleInputs) -> None:
        group = self.region.network.groups.get(inputs.security_group_id)
        if group:
            self.rules(group).pop(resource_id, None)
            self.region.network.apply()


class SecurityGroupIngressRule(SecurityGroupRule):
    token = "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule"

    def rules(self, group: Group) -> dict[str, Rule]:
        return group.ingress


class SecurityGroupEgressRule(SecurityGroupRule):
    token = "aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule"

    def rules(self, group: Group) -> dict[str, Rule]:
        return group.egress


RESOURCE_TYPES = [
    Vpc, InternetGateway, Subnet, RouteTable, RouteOfTable, RouteTableAssociation, SecurityGroup,
    SecurityGroupIngressRule, SecurityGroupEgressRule,
]  # fmt: skip
