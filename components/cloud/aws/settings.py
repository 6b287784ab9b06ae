"""The settings that Amazon adds."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from ipaddress import IPv4Network
from itertools import cycle
from typing import Annotated, Literal

from pydantic import Field, field_validator

from components.config import settings
from components.config.errors import RawSettings
from components.config.settings import Name, Range, Section, Settings, matching

Region = Annotated[str, matching(r"[a-z]+(-[a-z]+)+-\d+", "a region; write one such as us-east-1")]
MachineType = Annotated[str, matching(r"[a-z0-9-]+\.[a-z0-9]+", "a machine type; write one such as t3.small")]
Image = Annotated[str, matching(r"ami-[0-9a-f]{8,17}", "an image; write one such as ami-0123456789abcdef0")]
Vpc = Annotated[str, matching(r"vpc-[0-9a-f]{8,17}", "a VPC; write one such as vpc-0123456789abcdef0")]
Version = Annotated[str, matching(r"\d+\.\d+(\.\d+)?", "a version; write one such as 8.4")]
InstanceClass = Annotated[str, matching(r"db\.[a-z0-9-]+\.[a-z0-9]+", "a class; write one such as db.t4g.small")]


class Machine(Section):
    """What a node is made of where its own entry does not say otherwise."""

    type: MachineType = "t3.small"
    """Of the Nitro generation (t3 and later): disks are found by the names that Nitro gives them."""
    image: Image | None = None
    """Of new machines; the newest Debian 12 by default. A machine that stands keeps the image it was made from."""
    root_gb: int = Field(default=16, ge=8, le=16384)
    """Size of the root disk in GB."""


class Node(settings.Node):
    """One machine of the site."""

    zone: str
    """The availability zone that it and its disk are in."""
    type: MachineType | None = None
    """Where it differs from `machine.type`."""


class Network(Section):
    """Where the site lives, and who may log in."""

    cidr: Range = IPv4Network("10.20.0.0/16")
    """Address range of the VPC that is made, /16 to /21; each zone gets a /24 of it."""
    ssh_from: list[Range] = Field(min_length=1)
    """Networks that SSH is let in from; the machine that runs `pulumi up` must be in one."""
    vpc: Vpc | None = None
    """An existing VPC to use in place of a new one."""
    subnets: dict[str, str] = {}
    """Its public subnets by zone, one for each zone that has a node."""

    @field_validator("cidr")
    @classmethod
    def _room_for_zones(cls, cidr: IPv4Network) -> IPv4Network:
        if not 16 <= cidr.prefixlen <= 21:
            raise ValueError(f"{cidr} is not between /16 and /21; a /24 for each of eight zones must fit")
        return cidr


class Database(Section):
    """The managed database."""

    engine: Literal["mysql", "mariadb"] = "mysql"
    version: Version | None = None
    """Of the engine; 8.4 of MySQL and 11.4 of MariaDB where none is given."""
    instance_class: InstanceClass = Field(default="db.t4g.small", alias="class")
    storage_gb: int = Field(default=20, ge=20, le=65536)
    """Size in GB."""
    backup_days: int = Field(default=7, ge=1, le=35)
    """Days that automatic backups are kept."""

    @property
    def engine_version(self) -> str:
        return self.version or {"mysql": "8.4", "mariadb": "11.4"}[self.engine]


class Balancer(Section):
    """The load balancer."""

    certificate_arn: str | None = None
    """Certificate for HTTPS, in the same region; HTTP then redirects. The site needs its `domain` with it."""


class AwsSettings(Settings):
    """All settings of a stack on Amazon."""

    region: Region = Field(alias="aws:region")
    """Under its own name, which pulumi-aws reads as well."""
    machine: Machine = Machine()
    nodes: Mapping[Name, Node] = {}
    network: Network
    database: Database = Database()
    balancer: Balancer = Balancer()

    @property
    def warnings(self) -> list[str]:
        bricks = self.node_roles.bricks
        zones = len({self.nodes[name].zone for name in bricks})
        output = super().warnings
        if zones < len(bricks):
            output.insert(0, f"{len(bricks)} nodes share {zones} zones: the loss of one zone may stop writes.")
        return output

    @classmethod
    def default_nodes(cls, raw: RawSettings) -> dict[str, dict[str, object]]:
        """One zone after the other, so that nodes that do the same are apart."""
        region = raw.value(str, "aws:region")
        zones = cycle("bcd" if region == "us-east-1" else "abc")
        return {name: {**node, "zone": f"{region}{next(zones)}"} for name, node in super().default_nodes(raw).items()}

    @classmethod
    def cross_checks(cls, raw: RawSettings) -> Iterator[str]:
        region = raw.value(str, "aws:region")
        nodes = raw.sections("nodes")
        zoned = {name: node["zone"] for name, node in nodes.items() if isinstance(node.get("zone"), str)}

        # to letter h: each zone has its own /24 of the network by its letter (components/cloud/aws/network.py)
        for name, zone in zoned.items():
            if region and not re.fullmatch(f"{re.escape(region)}[a-h]", zone):
                yield f"nodes.{name}.zone: {zone!r} is not a zone of region {region}; write one such as {region}a"
        yield from super().cross_checks(raw)
        yield from cls._zones(zoned, raw)

        vpc, subnets = raw.value(str, "network", "vpc"), raw.value(dict, "network", "subnets")
        if vpc and (missing := sorted(set(zoned.values()) - set(subnets or {}))):
            yield f"network.subnets: no subnet of {vpc} is named for {', '.join(missing)}; add them"
        if vpc and raw.has("network", "cidr"):
            yield "network.cidr: is given beside vpc; leave it out to use the existing VPC"
        if subnets and not vpc:
            yield "network.subnets: is given without their VPC; set vpc as well, or leave it out"

        balancers = node_roles.balancers if (node_roles := cls.known_roles(raw)) else []
        if vpc and balancers:
            yield "network.vpc: balancers of the site's own need a VPC of its own; leave it out, or have no balancers"
        if len({zoned.get(name) for name in balancers}) < len(balancers):
            yield f"nodes: {', '.join(balancers)} share a zone; give each balancer a zone of its own"

        arn = raw.value(str, "balancer", "certificate_arn")
        if arn and region and not re.fullmatch(rf"arn:[a-z-]+:acm:{re.escape(region)}:\d+:certificate/\S+", arn):
            yield (
                f"balancer.certificate_arn: {arn!r} is not a certificate of region {region}; "
                f"write arn:aws:acm:{region}:…"
            )
        if arn and not raw.has("site", "domain"):
            yield "site.domain: is missing, and HTTPS needs the name that the certificate is for; add it"

    @classmethod
    def _zones(cls, zoned: Mapping[str, str], raw: RawSettings) -> Iterator[str]:
        """The lines for nodes too close to each other."""
        node_roles = cls.known_roles(raw)
        if not node_roles:
            return
        if len(set(zoned.values())) < 2:
            yield "nodes: all in one zone, but the load balancer and the database need two; spread them"
            return
        zones = len({zoned[name] for name in node_roles.bricks if name in zoned})
        if zones < len(node_roles.bricks) and not raw.value(bool, "gluster", "accept_shared_zones"):
            yield (
                f"nodes: in {zones} zones, fewer than the volume's {len(node_roles.bricks)} bricks; "
                "give each node a zone of its own, or set gluster.accept_shared_zones: true"
            )
