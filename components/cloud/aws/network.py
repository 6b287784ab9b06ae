"""The VPC, a public subnet for each zone, and the security groups."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from ipaddress import IPv4Network

import pulumi
from pulumi_aws import ec2, vpc

from components.cloud.aws import settings
from components.cloud.interface import SiteSpec

ANYWHERE = "0.0.0.0/0"

VIRTUAL_IP_OFFSET = 250
"""Offset of a balancer's second private address in its zone's subnet; Amazon assigns addresses from the low end."""

VRRP = "112"
"""IP protocol number of VRRP, by which balancers watch each other (RFC 5798)."""


@dataclass(frozen=True)
class NetworkArgs:
    """`network`: the settings. `zones`: zones that have a node. `site`: the ports to open."""

    network: settings.Network
    zones: Iterable[str]
    site: SiteSpec


def subnet_range(cidr: IPv4Network, zone: str) -> IPv4Network:
    """The /24 of a zone: the first for the zone with letter a, the second for b, and so on.

    The letter decides, not the order of the zones in use, so that adding or removing a zone changes no other
    zone's range: a changed range replaces the subnet and every machine in it. `cidr`: the VPC's range.
    """
    return IPv4Network((int(cidr.network_address) + (ord(zone[-1]) - ord("a")) * 256, 24))


def virtual_ip_address(cidr: IPv4Network, zone: str) -> str:
    """A balancer's second private address, which the elastic IP maps to."""
    return str(subnet_range(cidr, zone)[VIRTUAL_IP_OFFSET])


class Network(pulumi.ComponentResource):
    """The network of the site's machines (VPC, subnets, internet gateway, routes, security groups).

    Every machine has a public address, because it fetches packages and `pulumi up` connects to it. From outside, the
    security groups admit only SSH from the configured networks, and HTTP and HTTPS to balancers. The database has no
    public address.

    `vpc`, `subnets`: ids, the subnets' by zone. `cidr`: range of the VPC. `egress`: by zone, the resources that a
    machine waits for before it can reach the internet. `node_rules`: rules that the nodes wait for before steps run.
    """

    def __init__(self, name: str, args: NetworkArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("ha-wordpress:aws:Network", name, None, opts)
        self._child = pulumi.ResourceOptions(parent=self)
        zones = sorted(args.zones)

        if args.network.vpc:
            self.vpc: pulumi.Input[str] = args.network.vpc
            self.cidr = ec2.get_vpc_output(id=args.network.vpc, opts=pulumi.InvokeOutputOptions(parent=self)).cidr_block
            self.subnets: Mapping[str, pulumi.Input[str]] = {zone: args.network.subnets[zone] for zone in zones}
            self.egress: Mapping[str, list[pulumi.Resource]] = {zone: [] for zone in zones}
        else:
            self._create_vpc(args.network.cidr, zones)

        self.node_group = self._group("node", "The nodes: web from the load balancer, storage from each other.")
        self._admit_operators_and_peers(args.network.ssh_from, args.site)
        if args.site.balanced:
            self._admit_visitors_by_balancer(args.network, args.site.web_port)
        if args.site.virtual_ip_nodes:
            self._admit_visitors_to_virtual_ip()
        if args.site.database:
            self._admit_nodes_to_database()

        self.register_outputs({"vpc": self.vpc, "subnets": self.subnets})

    def _create_vpc(self, cidr: IPv4Network, zones: list[str]) -> None:
        """Create a VPC with a public subnet in each zone."""
        created = ec2.Vpc(
            "site",
            cidr_block=str(cidr),
            enable_dns_hostnames=True,
            tags={"Name": pulumi.get_stack()},
            opts=self._child,
        )
        gateway = ec2.InternetGateway("site", vpc_id=created.id, tags={"Name": pulumi.get_stack()}, opts=self._child)
        table = ec2.RouteTable(
            "public",
            vpc_id=created.id,
            routes=[ec2.RouteTableRouteArgs(cidr_block=ANYWHERE, gateway_id=gateway.id)],
            tags={"Name": f"{pulumi.get_stack()}-public"},
            opts=self._child,
        )
        subnets = {
            zone: ec2.Subnet(
                zone,
                vpc_id=created.id,
                availability_zone=zone,
                cidr_block=str(subnet_range(cidr, zone)),
                tags={"Name": f"{pulumi.get_stack()}-{zone}"},
                opts=self._child,
            )
            for zone in zones
        }
        self.vpc = created.id
        self.cidr = created.cidr_block
        self.subnets = {zone: subnet.id for zone, subnet in subnets.items()}
        self.egress = {
            zone: [ec2.RouteTableAssociation(zone, route_table_id=table.id, subnet_id=subnet.id, opts=self._child)]
            for zone, subnet in subnets.items()
        }

    def _group(self, name: str, description: str) -> ec2.SecurityGroup:
        return ec2.SecurityGroup(
            name,
            description=description,
            vpc_id=self.vpc,
            tags={"Name": f"{pulumi.get_stack()}-{name}"},
            opts=self._child,
        )

    def _admit_operators_and_peers(self, ssh_from: Iterable[IPv4Network], site: SiteSpec) -> None:
        """Open SSH to operators and storage to peers. Every port without a rule stays closed."""
        node = self.node_group
        self.node_rules: list[pulumi.Resource] = [
            *(
                self._ingress_rule(
                    f"node-{ports.purpose}",
                    node,
                    ports.range.first,
                    ports.range.last,
                    referenced_security_group_id=node.id,
                )
                for ports in (*site.peers, *site.balanced_peers)
            ),
            *(self._ingress_rule(f"node-ssh-{cidr}", node, 22, 22, cidr_ipv4=str(cidr)) for cidr in ssh_from),
        ]
        out = vpc.SecurityGroupEgressRule(
            "node-out", security_group_id=node.id, ip_protocol="-1", cidr_ipv4=ANYWHERE, opts=self._child
        )
        # a machine that boots before its routes and this rule exist fails to fetch its packages
        self.egress = {zone: [*routes, out] for zone, routes in self.egress.items()}

    def _admit_visitors_by_balancer(self, network: settings.Network, web_port: int) -> None:
        # another description would replace the group
        self.balancer_group = self._group("balancer", "The load balancer: HTTP and HTTPS from anywhere.")
        for scheme, port in (("http", 80), ("https", 443)):
            if not network.visitors_from:
                self._ingress_rule(f"balancer-{scheme}", self.balancer_group, port, port, cidr_ipv4=ANYWHERE)
            for proxy in network.visitors_from:
                self._ingress_rule(f"balancer-{scheme}-{proxy}", self.balancer_group, port, port, cidr_ipv4=proxy)
        vpc.SecurityGroupEgressRule(
            "balancer-web",
            security_group_id=self.balancer_group.id,
            referenced_security_group_id=self.node_group.id,
            ip_protocol="tcp",
            from_port=web_port,
            to_port=web_port,
            opts=self._child,
        )
        self.node_rules.append(
            self._ingress_rule(
                "node-web", self.node_group, web_port, web_port, referenced_security_group_id=self.balancer_group.id
            )
        )

    def _admit_visitors_to_virtual_ip(self) -> None:
        self.virtual_ip_group = self._group("entrance", "The balancers: HTTP and HTTPS from anywhere.")
        for scheme, port in (("http", 80), ("https", 443)):
            self._ingress_rule(f"entrance-{scheme}", self.virtual_ip_group, port, port, cidr_ipv4=ANYWHERE)
        vpc.SecurityGroupIngressRule(
            "entrance-vrrp",
            security_group_id=self.virtual_ip_group.id,
            referenced_security_group_id=self.virtual_ip_group.id,
            ip_protocol=VRRP,
            opts=self._child,
        )

    def _admit_nodes_to_database(self) -> None:
        self.database_group = self._group("database", "The database: MySQL from the nodes.")
        self.database_rule = self._ingress_rule(
            "database-mysql", self.database_group, 3306, 3306, referenced_security_group_id=self.node_group.id
        )

    def _ingress_rule(
        self,
        name: str,
        group: ec2.SecurityGroup,
        first: int,
        last: int,
        *,
        cidr_ipv4: str | None = None,
        referenced_security_group_id: pulumi.Input[str] | None = None,
    ) -> vpc.SecurityGroupIngressRule:
        return vpc.SecurityGroupIngressRule(
            name,
            security_group_id=group.id,
            ip_protocol="tcp",
            from_port=first,
            to_port=last,
            cidr_ipv4=cidr_ipv4,
            referenced_security_group_id=referenced_security_group_id,
            opts=self._child,
        )
