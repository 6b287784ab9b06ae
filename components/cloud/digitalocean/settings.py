"""The settings that DigitalOcean adds."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from ipaddress import IPv4Network
from typing import Annotated

from pydantic import Field, SecretStr, field_validator

from components.config import settings
from components.config.errors import RawSettings
from components.config.settings import Name, Range, Section, Settings, matching

Region = Annotated[str, matching(r"[a-z]{3}\d", "a region; write one such as nyc3")]
Size = Annotated[str, matching(r"[a-z][a-z0-9_]*(-[a-z0-9.]+)+", "a size; write one such as s-1vcpu-2gb")]
Image = Annotated[str, matching(r"[a-z0-9][a-z0-9.-]*", "an image; write one such as debian-12-x64, or its number")]
Version = Annotated[str, matching(r"\d+(\.\d+)?", "a version; write one such as 8")]
Certificate = Annotated[str, matching(r"[\w.-]+", "the name of a certificate")]

ONE_GB = "db-s-1vcpu-1gb"
PRIVATE = [IPv4Network("10.0.0.0/8"), IPv4Network("172.16.0.0/12"), IPv4Network("192.168.0.0/16")]


class Machine(Section):
    """What a node is made of where its own entry does not say otherwise."""

    size: Size = "s-1vcpu-2gb"
    """A new one is given to a droplet that stands by switching it off: change one node at a time, in its own entry."""
    image: Image = "debian-12-x64"
    """Of new machines. A machine that stands keeps the image it was made from."""


class Node(settings.Node):
    """One machine of the site."""

    size: Size | None = None
    """Where it differs from `machine.size`."""


class Network(Section):
    """Where the site lives, and who may log in."""

    cidr: Range = IPv4Network("10.30.0.0/16")
    """Private address range of the VPC that is made, /16 to /24; no other VPC of the account may overlap it."""
    ssh_from: list[Range] = Field(min_length=1)
    """Networks that SSH is let in from; the machine that runs `pulumi up` must be in one."""

    @field_validator("cidr")
    @classmethod
    def _as_a_vpc_has_it(cls, cidr: IPv4Network) -> IPv4Network:
        if not any(cidr.subnet_of(private) for private in PRIVATE):
            raise ValueError(f"{cidr} is not private; choose one within 10.0.0.0/8, 172.16.0.0/12 or 192.168.0.0/16")
        if not 16 <= cidr.prefixlen <= 24:
            raise ValueError(f"{cidr} is not between /16 and /24, as DigitalOcean wants a VPC to be")
        return cidr


class Database(Section):
    """The managed MySQL, on two nodes."""

    version: Version = "8"
    size: Size = "db-s-1vcpu-2gb"
    """Of each of the two."""

    @field_validator("size")
    @classmethod
    def _room_for_a_standby(cls, size: str) -> str:
        if size == ONE_GB:
            raise ValueError(f"{ONE_GB} can have no standby, which takes 2 GB; write db-s-1vcpu-2gb or a larger one")
        return size


class Balancer(Section):
    """The load balancer."""

    certificate_name: Certificate | None = None
    """Certificate for HTTPS, known to DigitalOcean; HTTP then redirects. The site needs its `domain` with it."""


class DigitalOceanSettings(Settings):
    """All settings of a stack on DigitalOcean."""

    region: Region = "nyc3"
    machine: Machine = Machine()
    nodes: Mapping[Name, Node] = {}
    network: Network
    database: Database = Database()
    balancer: Balancer = Balancer()
    balancer_token: SecretStr = SecretStr("")
    """With balancers of the site's own: an API token scoped to reserved IPs, by which they move theirs."""

    @classmethod
    def cross_checks(cls, raw: RawSettings) -> Iterator[str]:
        yield from super().cross_checks(raw)
        if raw.value(str, "balancer", "certificate_name") and not raw.has("site", "domain"):
            yield "site.domain: is missing, and HTTPS needs the name that the certificate is for; add it"
        node_roles = cls.known_roles(raw)
        if node_roles and node_roles.balancers and not raw.value(str, "balancer_token"):
            yield (
                "balancer_token: is missing, and the balancers move their address by DigitalOcean's API; "
                "set one by: pulumi config set --secret balancer_token"
            )
