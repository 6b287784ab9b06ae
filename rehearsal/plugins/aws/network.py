"""VPC, subnets, routes and security groups."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from typing import Annotated, Any, ClassVar

from rehearsal.plugins.aws.resource_type import (
    ACCOUNT,
    NEW,
    AwsResourceType,
    Call,
    InputModel,
    Properties,
    Refused,
    Tags,
    Zone,
    matching,
    tag_specifications,
)
from rehearsal.region.firewall import Group, Rule

RULES = 60
"""Number of rules of a security group in each direction, unless Amazon raises it (Amazon VPC User Guide, "Quotas")."""

CHARACTERS = r"[a-zA-Z0-9 ._:/()#,@\[\]+=&;{}!$*-]"
"""Characters of a security group's name and of descriptions (API reference of CreateSecurityGroup)."""

GroupName = Annotated[
    str, matching(rf"(?!sg-){CHARACTERS}{{1,255}}", "InvalidParameterValue", "a security group's name")
]
Description = Annotated[
    str, matching(rf"{CHARACTERS}{{0,255}}", "InvalidParameterValue", "a security group's or a rule's description")
]


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

    def calls(self, inputs: VpcInputs) -> Iterator[Call]:
        yield Call(
            "ec2",
            "CreateVpc",
            CidrBlock=str(inputs.cidr_block),
            TagSpecifications=tag_specifications(inputs.tags, "vpc"),
        )
        yield Call("ec2", "ModifyVpcAttribute", VpcId=NEW, EnableDnsHostnames={"Value": inputs.enable_dns_hostnames})
        yield Call("ec2", "ModifyVpcAttribute", VpcId=NEW, EnableDnsSupport={"Value": inputs.enable_dns_support})

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

    def calls(self, inputs: InternetGatewayInputs) -> Iterator[Call]:
        tags = tag_specifications(inputs.tags, "internet-gateway")
        yield Call("ec2", "CreateInternetGateway", TagSpecifications=tags)
        yield Call("ec2", "AttachInternetGateway", InternetGatewayId=NEW, VpcId=inputs.vpc_id)

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

    def calls(self, inputs: SubnetInputs) -> Iterator[Call]:
        yield Call(
            "ec2",
            "CreateSubnet",
            VpcId=inputs.vpc_id,
            CidrBlock=str(inputs.cidr_block),
            AvailabilityZone=inputs.availability_zone,
            TagSpecifications=tag_specifications(inputs.tags, "subnet"),
        )
        public = {"Value": inputs.map_public_ip_on_launch}
        yield Call("ec2", "ModifySubnetAttribute", SubnetId=NEW, MapPublicIpOnLaunch=public)

    def on_create(self, resource_id: str, inputs: SubnetInputs) -> Properties:
        vpc = self.inputs_of(Vpc, inputs.vpc_id)
        if not 16 <= inputs.cidr_block.prefixlen <= 28:
            raise Refused(f"InvalidSubnet.Range: {inputs.cidr_block} is not between /16 and /28")
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

    def calls(self, inputs: RouteTableInputs) -> Iterator[Call]:
        tags = tag_specifications(inputs.tags, "route-table")
        yield Call("ec2", "CreateRouteTable", VpcId=inputs.vpc_id, TagSpecifications=tags)
        for route in inputs.routes:
            yield create_route(NEW, route.cidr_block, route.gateway_id)

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

    def calls(self, inputs: RouteOfTableInputs) -> Iterator[Call]:
        yield create_route(inputs.route_table_id, inputs.destination_cidr_block, inputs.gateway_id)

    def on_create(self, resource_id: str, inputs: RouteOfTableInputs) -> Properties:
        return {"origin": "CreateRoute", "state": "active"}


def create_route(table: str, destination: ipaddress.IPv4Network, gateway: str) -> Call:
    return Call("ec2", "CreateRoute", RouteTableId=table, DestinationCidrBlock=str(destination), GatewayId=gateway)


class RouteTableAssociationInputs(InputModel):
    route_table_id: str
    subnet_id: str


class RouteTableAssociation(AwsResourceType[RouteTableAssociationInputs]):
    token = "aws:ec2/routeTableAssociation:RouteTableAssociation"
    prefix = "rtbassoc"
    replaces = frozenset({"subnetId"})

    def calls(self, inputs: RouteTableAssociationInputs) -> Iterator[Call]:
        yield Call("ec2", "AssociateRouteTable", RouteTableId=inputs.route_table_id, SubnetId=inputs.subnet_id)


class SecurityGroupInputs(InputModel):
    name: GroupName
    description: Description = "Managed by Pulumi"
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
    not_sent = frozenset({"revoke_rules_on_delete"})

    def calls(self, inputs: SecurityGroupInputs) -> Iterator[Call]:
        yield Call(
            "ec2",
            "CreateSecurityGroup",
            GroupName=inputs.name,
            Description=inputs.description,
            VpcId=inputs.vpc_id,
            TagSpecifications=tag_specifications(inputs.tags, "security-group"),
        )

    def on_create(self, resource_id: str, inputs: SecurityGroupInputs) -> Properties:
        if any(group.name.lower() == inputs.name.lower() for group in self.existing(SecurityGroup).values()):
            raise Refused(f"InvalidGroup.Duplicate: the security group {inputs.name} exists already")
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
    description: Description | None = None
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

    operation: ClassVar[str]
    """The API's call for one direction."""

    def calls(self, inputs: SecurityGroupRuleInputs) -> Iterator[Call]:
        permission: dict[str, Any] = {
            "IpProtocol": inputs.ip_protocol,
            "FromPort": inputs.from_port,
            "ToPort": inputs.to_port,
        }
        if inputs.cidr_ipv4:
            permission["IpRanges"] = [{"CidrIp": str(inputs.cidr_ipv4), "Description": inputs.description}]
        if inputs.referenced_security_group_id:
            pair = {"GroupId": inputs.referenced_security_group_id, "Description": inputs.description}
            permission["UserIdGroupPairs"] = [pair]
        yield Call(
            "ec2",
            self.operation,
            GroupId=inputs.security_group_id,
            IpPermissions=[permission],
            TagSpecifications=tag_specifications(inputs.tags, "security-group-rule"),
        )

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
        rules = self.rules(self.region.network.groups[inputs.security_group_id])
        others = [other for key, other in list(rules.items()) if key != resource_id]
        if rule in others:
            raise Refused(f"InvalidPermission.Duplicate: {inputs.security_group_id} has this rule already")
        if len(others) >= RULES:
            raise Refused(
                f"RulesPerSecurityGroupLimitExceeded: {inputs.security_group_id} has {RULES} rules in this direction"
            )
        rules[resource_id] = rule
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
    operation = "AuthorizeSecurityGroupIngress"

    def rules(self, group: Group) -> dict[str, Rule]:
        return group.ingress


class SecurityGroupEgressRule(SecurityGroupRule):
    token = "aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule"
    operation = "AuthorizeSecurityGroupEgress"

    def rules(self, group: Group) -> dict[str, Rule]:
        return group.egress


RESOURCE_TYPES = [
    Vpc, InternetGateway, Subnet, RouteTable, RouteOfTable, RouteTableAssociation, SecurityGroup,
    SecurityGroupIngressRule, SecurityGroupEgressRule,
]  # fmt: skip
