"""The settings that a stack on Amazon adds."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from ipaddress import IPv4Network
from itertools import cycle
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, ValidationInfo, field_validator

from components.cloud.aws.certificates import database_ca
from components.config import settings
from components.config.errors import RawSettings
from components.config.placeholders import own_zone
from components.config.settings import Days, Gigabytes, Matches, Name, OwnRange, Range, Section, Settings

Region = Annotated[str, Matches(r"[a-z]+(-[a-z]+)+-\d+", "a region; write one such as us-east-1")]


def _of_nitro(machine_type: str) -> str:
    if machine_type.startswith("t2."):
        raise ValueError(
            f"{machine_type} is not of the Nitro generation, which names disks by volume; write t3.small or later"
        )
    return machine_type


MachineType = Annotated[
    str,
    Matches(r"[a-z0-9-]+\.[a-z0-9-]+", "a machine type; write one such as t3.small"),
    AfterValidator(_of_nitro),
]
Image = Annotated[str, Matches(r"ami-[0-9a-f]{8,17}", "an image; write one such as ami-0123456789abcdef0")]
Vpc = Annotated[str, Matches(r"vpc-[0-9a-f]{8,17}", "a VPC; write one such as vpc-0123456789abcdef0")]
Version = Annotated[str, Matches(r"\d+\.\d+(\.\d+)?", "a version; write one such as 8.4")]
ZoneId = Annotated[
    str,
    Matches(r"Z[A-Z0-9]{1,31}", "a hosted zone; write its id, such as Z0123456789EXAMPLE"),
    AfterValidator(own_zone),
]
InstanceClass = Annotated[str, Matches(r"db\.[a-z0-9-]+\.[a-z0-9]+", "a class; write one such as db.t4g.small")]

ELASTIC_IPS = 5
"""Elastic IPs that an account has in a region by default (Amazon VPC user guide, "Amazon VPC quotas")."""

DEFAULT_ZONES = {"us-east-1": "bcd", "ap-northeast-1": "acd", "ca-central-1": "abd"}
"""Letters of the zones of the default nodes, by region, where it lacks one of the zones a, b and c."""

BURSTABLE = ("t3.", "t3a.", "t4g.")
"""Instance types with CPU credits (Amazon EC2 user guide, "Burstable performance instances")."""


MOST_PROXIES = 30
"""IPv4 ranges that a security group can admit to two ports (VPC user guide, "Amazon VPC quotas": 60 rules)."""


class Machine(Section):
    """Properties of the nodes. A node's own entry in `nodes` takes precedence."""

    type: MachineType = "t3.small"
    """Instance type of the Nitro generation (t3 and later): the program finds disks by Nitro's names. A type with Arm
    processors (t4g) gets Debian's image for them.
    """
    image: Image | None = None
    """Image of new machines. Default: the newest Debian 13. An existing machine keeps its image."""
    root_gb: Gigabytes = Field(default=16, ge=8, le=16384)
    """Size of the root disk."""
    cpu_credits: Literal["standard", "unlimited"] = "standard"
    """For types with burstable CPU (t3, t3a, t4g): `standard` slows a machine down to its baseline when it has used up
    its credits, and a new machine has none; `unlimited` bills the CPU time above the baseline, also that of a flood.
    """


class Node(settings.Node):
    """One EC2 instance of the site."""

    zone: str
    """Availability zone of the instance and its disk."""
    type: MachineType | None = None
    """Instance type of this node, if it differs from `machine.type`."""


class Network(settings.Network):
    """The VPC, and the networks that operators log in from."""

    cidr: Range = IPv4Network("10.20.0.0/16")
    """Address range of the new VPC, /16 to /21. Each zone gets a /24 of it."""
    ssh_from: list[OwnRange] = Field(min_length=1)
    """Networks that may connect by SSH. The machine that runs `pulumi up` must be in one of them."""
    vpc: Vpc | None = None
    """Existing VPC to use in place of a new one."""
    subnets: dict[str, str] = {}
    """Public subnets of the existing VPC by zone, one for each zone that has a node."""

    @field_validator("cidr")
    @classmethod
    def _fits_eight_zones(cls, cidr: IPv4Network) -> IPv4Network:
        if not 16 <= cidr.prefixlen <= 21:
            raise ValueError(f"{cidr} is not between /16 and /21; choose a range with room for eight zones of a /24")
        return cidr


class Database(Section):
    """The managed database (RDS)."""

    engine: Literal["mysql", "mariadb"] = "mysql"
    """Database engine."""
    version: Version | None = None
    """Version of the engine. Default: 8.4 for MySQL, 11.4 for MariaDB."""
    instance_class: InstanceClass = Field(default="db.t4g.small", alias="class")
    """Instance class of the database."""
    storage_gb: Gigabytes = Field(default=20, ge=20, le=65536)
    """Size of the database's disk."""
    max_storage_gb: Annotated[int, Field(ge=22, le=65536)] | None = Field(
        default=None, json_schema_extra={"unit": "GB"}
    )
    """Size up to which RDS enlarges the disk when it is nearly full. Default: five times `storage_gb`."""
    backup_days: Days = Field(default=7, ge=1, le=35)
    """Time that automatic backups are kept."""

    @property
    def engine_version(self) -> str:
        """The configured version, or the engine's default."""
        return self.version or {"mysql": "8.4", "mariadb": "11.4"}[self.engine]

    @property
    def storage_limit_gb(self) -> int:
        """Size up to which RDS enlarges the disk: the configured one, or the default."""
        return self.max_storage_gb or min(5 * self.storage_gb, 65536)

    @field_validator("max_storage_gb")
    @classmethod
    def _leaves_room(cls, limit: int | None, info: ValidationInfo) -> int | None:
        storage = info.data.get("storage_gb")
        # Amazon RDS user guide, "Managing capacity automatically with Amazon RDS storage autoscaling"
        if limit is not None and storage is not None and limit < (least := math.ceil(storage * 11 / 10)):
            raise ValueError(f"{limit} is less than 10 % above storage_gb; write {least} or more, or omit it")
        return limit


class Balancer(Section):
    """The record of the site's domain (`site.domain`, without WordPress `tls.domain`), and HTTPS on the load balancer.
    The site's own balancers have their certificate in `tls`.
    """

    zone_id: ZoneId | None = None
    """Hosted zone of Route 53 that has the domain. The stack makes the domain's record there and, for the load balancer
    without `certificate_arn`, a certificate for HTTPS. HTTP then redirects to HTTPS.
    """
    certificate_arn: str | None = None
    """ARN of your own certificate for HTTPS, in the same region. HTTP then redirects to HTTPS."""


class AwsSettings(Settings):
    """All settings of a stack on Amazon."""

    region: Region = Field(alias="aws:region")
    """Region of the stack, under the key that pulumi-aws reads too."""
    machine: Machine = Machine()
    """Properties of the nodes. A node's own entry takes precedence."""
    nodes: Mapping[Name, Node] = {}
    """The instances by name. A node's disk and its place in the volume belong to its name. Each node has an elastic IP,
    and `role: balancer` adds one for the site. An account has five in a region by default: ask Amazon for more.
    """
    network: Network
    """The VPC, and the networks that operators log in from."""
    database: Database = Database()
    """The managed database."""
    balancer: Balancer = Balancer()
    """The load balancer."""

    def machine_type(self, name: str) -> str:
        """Instance type of a node, by the node's name."""
        return self.nodes[name].type or self.machine.type

    @property
    def warnings(self) -> list[str]:
        bricks = self.node_roles.bricks
        zones = len({self.nodes[name].zone for name in bricks})
        warnings = super().warnings
        addresses = len(self.nodes) + bool(self.node_roles.balancers)
        if addresses > ELASTIC_IPS:
            warnings.append(
                f"The stack needs {addresses} elastic IPs, but an account has {ELASTIC_IPS} in a region by default: "
                "ask Amazon for a higher quota (Service Quotas, EC2-VPC Elastic IPs)."
            )
        if zones < len(bricks):
            warnings.insert(0, f"{len(bricks)} nodes share {zones} zones: the loss of one zone may stop writes.")
        return warnings

    @classmethod
    def default_nodes(cls, raw: RawSettings) -> dict[str, dict[str, object]]:
        """The default nodes, spread over three zones so that nodes with the same task are in different zones."""
        region = raw.value(str, "aws:region")
        zones = cycle(DEFAULT_ZONES.get(region or "", "abc"))
        return {name: {**node, "zone": f"{region}{next(zones)}"} for name, node in super().default_nodes(raw).items()}

    @classmethod
    def cross_checks(cls, raw: RawSettings) -> Iterator[str]:
        region = raw.value(str, "aws:region")
        nodes = raw.sections("nodes")
        zone_of = {name: zone for name, node in nodes.items() if isinstance(zone := node.get("zone"), str)}

        # letters a to h only: the letter selects the zone's /24 of the network (components/cloud/aws/network.py)
        for name, zone in zone_of.items():
            if region and not re.fullmatch(f"{re.escape(region)}[a-h]", zone):
                yield f"nodes.{name}.zone: {zone!r} is not a zone of region {region}; write one such as {region}a"
        yield from super().cross_checks(raw)
        yield from cls._zone_errors(zone_of, raw)

        vpc, subnets = raw.value(str, "network", "vpc"), raw.section("network", "subnets")
        if vpc and (missing := sorted(set(zone_of.values()) - set(subnets or {}))):
            yield f"network.subnets: has no subnet of {vpc} for {', '.join(missing)}; add one for each"
        if vpc and raw.has("network", "cidr"):
            yield "network.cidr: conflicts with vpc; omit it to use the existing VPC"
        if subnets and not vpc:
            yield "network.subnets: needs their VPC; set network.vpc too, or omit subnets"

        proxies = [each for each in raw.value(list, "network", "trusted_proxies") or [] if "." in str(each)]
        if raw.value(bool, "network", "only_trusted_proxies") and len(proxies) > MOST_PROXIES:
            yield (
                f"network.trusted_proxies: has {len(proxies)} IPv4 ranges, but a security group has room for "
                f"{MOST_PROXIES}; name fewer and wider ranges, or omit only_trusted_proxies"
            )

        node_roles = cls.valid_roles(raw)
        balancers = node_roles.balancers if node_roles else []
        if vpc and balancers:
            yield "network.vpc: conflicts with role: balancer, which needs a new VPC; omit vpc, or remove the balancers"
        if len({zone_of.get(name) for name in balancers}) < len(balancers):
            yield f"nodes: {', '.join(balancers)} share a zone; put each balancer in its own zone"

        if region and raw.value(str, "web") == "wordpress" and not database_ca(region):
            yield (
                f"aws:region: {region} has no database certificate in components/cloud/aws/rds-ca.pem; "
                "add the region's from Amazon's global-bundle.pem, or choose another region"
            )

        arn = raw.value(str, "balancer", "certificate_arn")
        if arn and region and not re.fullmatch(rf"arn:[a-z-]+:acm:{re.escape(region)}:\d+:certificate/\S+", arn):
            yield (
                f"balancer.certificate_arn: {arn!r} is not a certificate of region {region}; "
                f"write arn:aws:acm:{region}:…"
            )
        yield from cls.https_errors(raw, "zone_id", "certificate_arn")

    @classmethod
    def _zone_errors(cls, zone_of: Mapping[str, str], raw: RawSettings) -> Iterator[str]:
        """Yield an error line for nodes that are in too few zones."""
        node_roles = cls.valid_roles(raw)
        if not node_roles:
            return
        if len(set(zone_of.values())) < 2:
            yield "nodes: all are in one zone, but the load balancer and the database need two; use more zones"
            return
        zones = len({zone_of[name] for name in node_roles.bricks if name in zone_of})
        if zones < len(node_roles.bricks) and not raw.value(bool, "gluster", "accept_shared_zones"):
            yield (
                f"nodes: the volume's {len(node_roles.bricks)} bricks are in only {zones} zones; "
                "put each node in its own zone, or set gluster.accept_shared_zones: true"
            )
