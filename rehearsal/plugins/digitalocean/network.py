"""VPC, tags and reserved IPs."""

from __future__ import annotations

import ipaddress
from typing import Annotated

from pydantic import Field

from rehearsal.plugins.digitalocean.firewall import ANYONE, OPEN
from rehearsal.plugins.digitalocean.resource_type import (
    DigitalOceanResourceType,
    InputModel,
    Name,
    Properties,
    Refused,
    RegionSlug,
    Tag,
    now,
)
from rehearsal.region.firewall import Group

GET_VPC = "digitalocean:index/getVpc:getVpc"
PRIVATE = [ipaddress.IPv4Network(block) for block in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16")]


class VpcInputs(InputModel):
    name: Name
    region: RegionSlug
    ip_range: ipaddress.IPv4Network
    description: Annotated[str, Field(max_length=255)] | None = None


class Vpc(DigitalOceanResourceType[VpcInputs]):
    """A VPC. Its address range is required; DigitalOcean would choose one."""

    token = "digitalocean:index/vpc:Vpc"
    replaces = frozenset({"region", "ipRange"})
    in_place = frozenset({"name", "description"})
    computed = frozenset({"createdAt", "default", "vpcUrn"})

    def on_create(self, resource_id: str, inputs: VpcInputs) -> Properties:
        if not any(inputs.ip_range.subnet_of(block) for block in PRIVATE):
            raise Refused(f"{self.token}: 422 {inputs.ip_range} is not private")
        if not 16 <= inputs.ip_range.prefixlen <= 24:
            raise Refused(f"{self.token}: 422 {inputs.ip_range} is not between /16 and /24")
        if self.existing(Vpc):
            raise Refused("the rehearsal's router joins one VPC; a second one is not supported")
        self.region.network.groups[OPEN] = Group({"in": ANYONE}, {"out": ANYONE})
        return {"createdAt": now(), "default": False, "vpcUrn": f"do:vpc:{resource_id}"}

    def get(self, arguments: Properties) -> Properties:
        """An existing VPC by its id."""
        inputs = self.existing(Vpc).get(arguments["id"])
        if inputs is None:
            raise Refused(f"{GET_VPC}: 404 there is no VPC {arguments['id']}")
        return arguments | {
            "name": inputs.name, "region": inputs.region, "ipRange": str(inputs.ip_range), "createdAt": now(),
            "default": False, "description": "", "urn": f"do:vpc:{arguments['id']}",
        }  # fmt: skip


class TagInputs(InputModel):
    name: Tag


class TagType(DigitalOceanResourceType[TagInputs]):
    token = "digitalocean:index/tag:Tag"
    replaces = frozenset({"name"})
    computed = frozenset(
        {
            "databasesCount", "dropletsCount", "imagesCount", "totalResourceCount", "volumeSnapshotsCount",
            "volumesCount",
        }
    )  # fmt: skip

    def new_id(self, inputs: TagInputs) -> str:
        return inputs.name

    def on_create(self, resource_id: str, inputs: TagInputs) -> Properties:
        return dict.fromkeys(self.computed, 0)


class ReservedIpInputs(InputModel):
    region: RegionSlug


class ReservedIp(DigitalOceanResourceType[ReservedIpInputs]):
    """An address that no droplet has: the API that assigns it to a droplet is not supported."""

    token = "digitalocean:index/reservedIp:ReservedIp"
    auto_name = None
    unique = False
    replaces = frozenset({"region"})
    computed = frozenset({"ipAddress", "reservedIpUrn"})

    def new_id(self, inputs: ReservedIpInputs) -> str:
        return self.region.network.new_public_address()

    def on_create(self, resource_id: str, inputs: ReservedIpInputs) -> Properties:
        return {"ipAddress": resource_id, "reservedIpUrn": f"do:reservedip:{resource_id}"}


RESOURCE_TYPES = [Vpc, TagType, ReservedIp]
