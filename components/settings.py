"""Every setting of a stack: its type, its unit, its default, and what is wrong with it.

Settings stand in `stacks/Pulumi.<stack>.yaml` under `ha-wordpress:`. They are read once, here, and all mistakes are
told in one message before anything is made.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from ipaddress import IPv4Network
from pathlib import Path
from typing import Annotated, Literal, NamedTuple

import pulumi
from pulumi.runtime.config import CONFIG, get_config_env
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    field_validator,
)

from components import mistakes
from components.mistakes import Mistakes

ROOT = Path(__file__).parent.parent
"""Relative paths in the settings start here, wherever the program is run from."""


GLUSTERD_PORT = 24007


class PortRange(NamedTuple):
    """TCP ports, both ends included."""

    first: int
    last: int


def _range(given: object) -> IPv4Network:
    text = str(given)
    try:
        return IPv4Network(text)
    except ValueError as error:
        if re.fullmatch(r"[\d.]+/\d+", text) and "host bits" in str(error):
            raise ValueError(f"{text} has host bits set; write {IPv4Network(text, strict=False)}") from error
        raise ValueError(f"{text!r} is not an address range; write one such as 203.0.113.0/24") from error


def _ports(given: object) -> PortRange:
    if isinstance(given, PortRange):
        return given
    match = re.fullmatch(r"(\d+)-(\d+)", str(given))
    if not match:
        raise ValueError(f"{given!r} is not a port range; write one such as 49152-49251")
    ports = PortRange(int(match[1]), int(match[2]))
    if ports.first > ports.last:
        raise ValueError(f"{given} is reversed; write {ports.last}-{ports.first}")
    if ports.first < 1024 or ports.last > 65535:
        raise ValueError(f"{given} is outside 1024-65535; choose ports within")
    if ports.first <= GLUSTERD_PORT <= ports.last:
        raise ValueError(f"{given} holds {GLUSTERD_PORT}, which glusterd listens on; choose ports beside it")
    return ports


def _readable(path: Path) -> Path:
    path = ROOT / path
    if not path.is_file():
        raise ValueError(f"{path} is not a file; give the path of one, relative to the project")
    if not os.access(path, os.R_OK):
        raise ValueError(f"{path} cannot be read; check its permissions")
    return path


def _matching(pattern: str, form: str) -> AfterValidator:
    """A check that a text has a form, which `form` says in words."""

    def check(text: str) -> str:
        if not re.fullmatch(pattern, text):
            raise ValueError(f"{text!r} is not {form}")
        return text

    return AfterValidator(check)


Range = Annotated[IPv4Network, BeforeValidator(_range)]
Ports = Annotated[PortRange, BeforeValidator(_ports)]
ReadableFile = Annotated[Path, AfterValidator(_readable)]
Region = Annotated[str, _matching(r"[a-z]+(-[a-z]+)+-\d+", "a region; write one such as us-east-1")]
Name = Annotated[str, _matching(r"[a-z]([a-z0-9-]{0,30}[a-z0-9])?", "a name; use a-z, 0-9 and -, a letter first")]
MachineType = Annotated[str, _matching(r"[a-z0-9-]+\.[a-z0-9]+", "a machine type; write one such as t3.small")]
Image = Annotated[str, _matching(r"ami-[0-9a-f]{8,17}", "an image; write one such as ami-0123456789abcdef0")]
Vpc = Annotated[str, _matching(r"vpc-[0-9a-f]{8,17}", "a VPC; write one such as vpc-0123456789abcdef0")]
Version = Annotated[str, _matching(r"\d+\.\d+(\.\d+)?", "a version; write one such as 8.4")]
InstanceClass = Annotated[str, _matching(r"db\.[a-z0-9-]+\.[a-z0-9]+", "a class; write one such as db.t4g.small")]
Domain = Annotated[str, _matching(r"([a-z0-9-]+\.)+[a-z]+", "a domain; write one such as www.example.com")]
User = Annotated[str, _matching(r"[\w.@-]{3,60}", "a user name; write 3 to 60 of a-z, 0-9, _ . @ -")]
Email = Annotated[str, _matching(r"[^@\s]+@[^@\s]+\.[^@\s]+", "an e-mail address")]
HttpsUrl = Annotated[str, _matching(r"https://\S+", "an https:// address")]
Sha256 = Annotated[str, _matching(r"[0-9a-f]{64}", "a SHA-256 sum; write its 64 hexadecimal digits")]


class Section(BaseModel):
    """A part of the settings: no key in it is let pass unknown, and nothing changes once it is read."""

    # defaults are validated too: a check of one key against another must also see the key that was left out
    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True)


class Machine(Section):
    """What a node is made of where its own entry does not say otherwise."""

    type: MachineType = "t3.small"
    """Of the Nitro generation (t3 and later): disks are found by the names that Nitro gives them."""
    image: Image | None = None
    """Of new machines; the newest Debian 12 by default. A machine that stands keeps the image it was made from."""
    root_gb: int = Field(default=16, ge=8, le=16384)
    """Size of the root disk in GB."""


class Gluster(Section):
    """The replicated volume that holds the site's files."""

    volume: Name = "wp"
    """The volume's name."""
    replica: int = Field(default=3, ge=2, le=8)
    """How many nodes hold the data."""
    accept_split_brain_risk: bool = False
    """Allow two copies without an arbiter: nodes that lose sight of each other can come to disagree for good."""
    accept_shared_zones: bool = False
    """Allow fewer zones than copies: the loss of one zone may then stop writes."""
    arbiter: Literal[0, 1] = 0
    """How many further nodes hold names and attributes only, as a vote; with it, `replica` is 2. The last by name."""
    disk_gb: int = Field(default=20, ge=1, le=16384)
    """Size of each node's data disk in GB. It can grow, never shrink."""
    ping_timeout: int = Field(default=3, ge=1, le=42)
    """Seconds until a silent node is given up.

    Clients stall for up to twice as long: the node is pinged once per period, and given up when a whole further one
    passes in which nothing was received (upstream's rpc/rpc-lib/src/rpc-clnt-ping.c; the period starts again while
    requests are still being sent). Hence 3 for a stall of at most 8 s.
    """
    ports: Ports = PortRange(49152, 49251)
    """TCP ports of the bricks, open between the nodes only. Since 10.0 a brick's port is random in the range (#786)."""

    @field_validator("arbiter")
    @classmethod
    def _no_split_brain(cls, arbiter: int, info: ValidationInfo) -> int:
        replica = info.data.get("replica")
        if replica == 2 and not arbiter and not info.data.get("accept_split_brain_risk"):
            raise ValueError(
                "two copies without an arbiter can end in split-brain; "
                "set arbiter: 1, or replica: 3, or accept_split_brain_risk: true"
            )
        if arbiter and replica not in (None, 2):
            raise ValueError(f"GlusterFS has an arbiter beside two copies only, not {replica}; set replica: 2")
        return arbiter

    @property
    def bricks(self) -> int:
        """How many nodes the volume is made of."""
        return self.replica + self.arbiter


class Node(Section):
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


class Archive(Section):
    """WordPress's code from elsewhere than Debian's package: copied once, for a new site; then it updates itself."""

    url: HttpsUrl
    """Of a .tar.gz; the machines download it once."""
    sha256: Sha256
    """Of that file; anything else is refused."""


class Import(Section):
    """A site that exists, to be moved in: each part is loaded once, and never over a site that is there."""

    files: ReadableFile | None = None
    """Local tar archive of its document root, packed with gzip or not at all."""
    database: ReadableFile | None = None
    """Local SQL dump of its database, as text or packed with gzip."""

    @field_validator("database")
    @classmethod
    def _something(cls, database: Path | None, info: ValidationInfo) -> Path | None:
        if database is None and "files" in info.data and info.data["files"] is None:
            raise ValueError("nothing to import is named; give files, database, or both, or leave import out")
        return database


class Site(Section):
    """The site itself."""

    title: str = "WordPress"
    domain: Domain | None = None
    """The name that visitors use, which you point at the load balancer; its own name where none is given."""
    admin_user: User = "editor"
    admin_email: Email
    archive: Archive | None = None
    import_: Import | None = Field(default=None, alias="import")


ZONES = {"gfs1": {"zone": "us-east-1b"}, "gfs2": {"zone": "us-east-1c"}, "gfs3": {"zone": "us-east-1d"}}


class Settings(Section):
    """All settings of one stack."""

    cloud: Literal["aws"] = "aws"
    """Where the machines are rented."""
    region: Region = Field(alias="aws:region")
    """Under its own name, which pulumi-aws reads as well."""
    machine: Machine = Machine()
    gluster: Gluster = Gluster()
    nodes: Annotated[dict[Name, Node], BeforeValidator(lambda given: given or ZONES)] = {}
    """The machines by name. A node's disk and its place in the volume go by its name."""
    network: Network
    database: Database = Database()
    balancer: Balancer = Balancer()
    site: Site
    protect_data: bool = True
    """Refuse to delete the data disks and the database; deleting the stack then leaves them."""
    profile: bool = False
    """Write a profile of the program's run (components/profile.py)."""

    @property
    def warnings(self) -> list[str]:
        """What is allowed here only because the settings say so, and what it costs."""
        told = []
        zones = len({node.zone for node in self.nodes.values()})
        if zones < self.gluster.bricks:
            told.append(f"{len(self.nodes)} nodes share {zones} zones: the loss of one zone may stop writes.")
        if self.gluster.bricks == 2:
            told.append("Two copies without an arbiter: nodes that lose sight of each other can end in split-brain.")
        return told


def load() -> Settings:
    """The settings of the stack that is being run; its warnings go to the engine's log.

    Raises `Mistakes`.
    """
    prefix = f"{pulumi.get_project()}:"
    # the CLI's language host hands all keys over in PULUMI_CONFIG, the Automation API in CONFIG
    given = get_config_env() | CONFIG.get()
    settings = parse(
        {
            name.removeprefix(prefix): value
            for name, value in given.items()
            if name.startswith(prefix) or name == "aws:region"
        }
    )
    for warning in settings.warnings:
        pulumi.log.warn(warning)
    return settings


def parse(given: Mapping[str, str]) -> Settings:
    """Settings in the form that the engine hands them over: objects as JSON, everything else as it stands.

    Raises `Mistakes`.
    """
    stated = {name: _value(text) for name, text in given.items()}
    lines = list(mistakes.across(stated, {"nodes": ZONES, "gluster": Gluster().model_dump()}))
    try:
        settings = Settings.model_validate(stated)
    except ValidationError as error:
        lines = [line for each in error.errors() for line in mistakes.of_pydantic(each, Settings)] + lines
    if lines:
        raise Mistakes(lines)
    return settings


def _value(text: str) -> object:
    try:
        return json.loads(text) if text.startswith(("{", "[")) else text
    except ValueError:
        return text
