"""The settings that a stack on DigitalOcean adds."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from ipaddress import IPv4Network
from typing import Annotated

from pydantic import Field, SecretStr, field_validator

from components.config import settings
from components.config.errors import RawSettings
from components.config.settings import Domain, Matches, Name, OwnRange, Range, Section, Settings

Region = Annotated[str, Matches(r"[a-z]{3}\d", "a region; write one such as nyc3")]
Size = Annotated[str, Matches(r"[a-z][a-z0-9_]*(-[a-z0-9.]+)+", "a size; write one such as s-1vcpu-2gb")]
Image = Annotated[
    str, Matches(r"[a-z0-9][a-z0-9.-]*", "an image; write one such as debian-13-x64, or an image's number")
]
Version = Annotated[str, Matches(r"\d+(\.\d+)?", "a version; write one such as 8")]
Certificate = Annotated[str, Matches(r"[\w.-]+", "a certificate's name; write one such as www")]

Vpc = Annotated[
    str,
    Matches(
        r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", "a VPC; write one such as 5a4981aa-9653-4bd1-bef5-d6bff52042e4"
    ),
]

WITHOUT_SPACES = frozenset({"nyc1", "nyc2", "ric1"})
"""Regions that have droplets and no Spaces (DigitalOcean documentation, "Spaces Availability", of 2026-03-23)."""

ONE_GB = "db-s-1vcpu-1gb"
PRIVATE = [IPv4Network("10.0.0.0/8"), IPv4Network("172.16.0.0/12"), IPv4Network("192.168.0.0/16")]


class Machine(Section):
    """Properties of the nodes. A node's own entry in `nodes` takes precedence."""

    size: Size = "s-1vcpu-2gb"
    """Size of the droplets. DigitalOcean switches a droplet off to resize it; `pulumi up` resizes one after another."""
    image: Image = "debian-13-x64"
    """Image of new machines. An existing machine keeps its image."""


class Node(settings.Node):
    """One droplet of the site."""

    size: Size | None = None
    """Size of this droplet, if it differs from `machine.size`."""


class Network(settings.Network):
    """The VPC, and the networks that operators log in from."""

    cidr: Range = IPv4Network("10.30.0.0/16")
    """Private address range of the new VPC, /16 to /24. It must not overlap another VPC of the account. The first VPC
    of an account in a region becomes the region's default, which DigitalOcean never deletes.
    """
    ssh_from: list[OwnRange] = Field(min_length=1)
    """Networks that may connect by SSH. The machine that runs `pulumi up` must be in one of them."""
    vpc: Vpc | None = None
    """Existing VPC to use in place of a new one. Its other droplets reach none of the site's ports."""

    @field_validator("cidr")
    @classmethod
    def _is_a_vpc_range(cls, cidr: IPv4Network) -> IPv4Network:
        if not any(cidr.subnet_of(private) for private in PRIVATE):
            raise ValueError(f"{cidr} is not private; choose one within 10.0.0.0/8, 172.16.0.0/12 or 192.168.0.0/16")
        if not 16 <= cidr.prefixlen <= 24:
            raise ValueError(f"{cidr} is not between /16 and /24; choose a range that DigitalOcean accepts for a VPC")
        return cidr


class Database(Section):
    """The managed MySQL cluster of two nodes."""

    version: Version = "8"
    """Version of MySQL."""
    size: Size = "db-s-1vcpu-2gb"
    """Size of each of the two nodes."""

    @field_validator("size")
    @classmethod
    def _allows_a_standby(cls, size: str) -> str:
        if size == ONE_GB:
            raise ValueError(f"{ONE_GB} is too small for a standby; write db-s-1vcpu-2gb or a larger size")
        return size


class Balancer(Section):
    """The record of the site's domain (`site.domain`, without WordPress `tls.domain`), and HTTPS on the load balancer.
    The site's own balancers have their certificate in `tls`.
    """

    dns_zone: Domain | None = None
    """Domain in DigitalOcean's DNS that is the site's or above it. The stack makes the record there and, for the load
    balancer without `certificate_name`, a certificate of Let's Encrypt for HTTPS. HTTP then redirects to HTTPS.
    """
    certificate_name: Certificate | None = None
    """Your own certificate for HTTPS, by its name in the account. HTTP then redirects to HTTPS."""


class DigitalOceanSettings(Settings):
    """All settings of a stack on DigitalOcean."""

    region: Region = "nyc3"
    """Region of the stack."""
    machine: Machine = Machine()
    """Properties of the nodes. A node's own entry takes precedence."""
    nodes: Mapping[Name, Node] = {}
    """The droplets by name. A node's disk and its place in the volume belong to its name."""
    network: Network
    """The VPC, and the networks that operators log in from."""
    database: Database = Database()
    """The managed database."""
    balancer: Balancer = Balancer()
    """The load balancer."""
    balancer_token: SecretStr = SecretStr("")
    """API token, scoped to reserved IPs. With it the site's own balancers move the reserved IP from one to another.
    Required with `role: balancer`. Set it with `pulumi config set --secret balancer_token`.
    """

    @property
    def warnings(self) -> list[str]:
        warnings = super().warnings
        smtp = self.site.smtp if self.site else None
        # DigitalOcean documentation, "Droplet limits"
        if smtp and smtp.port in (25, 465, 587):
            warnings.append(
                f"DigitalOcean blocks port {smtp.port} of droplets, unless your account is exempt: "
                "mail may need another port of your provider, such as site.smtp.port: 2525."
            )
        return warnings

    @classmethod
    def cross_checks(cls, raw: RawSettings) -> Iterator[str]:
        yield from super().cross_checks(raw)
        if raw.value(str, "network", "vpc") and raw.has("network", "cidr"):
            yield "network.cidr: conflicts with vpc; omit it to use the existing VPC"
        yield from cls.https_errors(raw, "dns_zone", "certificate_name")
        domain, zone = raw.value(str, cls.domain_section(raw), "domain"), raw.value(str, "balancer", "dns_zone")
        if domain and zone and not f".{domain}".endswith(f".{zone}"):
            yield f"balancer.dns_zone: {zone} does not contain {domain}; name the domain that has its records"
        region = raw.value(str, "region")
        if "backup" in raw.raw and not raw.has("backup", "access_key_id") and region in WITHOUT_SPACES:
            yield f"backup.bucket: is missing, and {region} has no Spaces to make one in; name one, and its access key"
        node_roles = cls.valid_roles(raw)
        if node_roles and node_roles.balancers and not raw.value(str, "balancer_token"):
            yield (
                "balancer_token: is missing, but the balancers need it to move their address; "
                "set it with: pulumi config set --secret balancer_token"
            )
