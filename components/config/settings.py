"""The settings that every stack has: type, unit, default, and what is wrong with them.

They stand in `stacks/Pulumi.<stack>.yaml` under `ha-wordpress:`. What a cloud adds is in its own package
(components/cloud/aws/settings.py and beside it); components/config/loader.py reads them all.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from ipaddress import IPv4Network
from pathlib import Path
from typing import Annotated, Literal, NamedTuple

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationInfo,
    field_validator,
)

from components.config import roles
from components.config.errors import RawSettings
from components.config.roles import NodeRoles, Role, Topology

ROOT = Path(__file__).parents[2]
"""Relative paths in the settings start here, wherever the program is run from."""


GLUSTERD_PORT = 24007


class PortRange(NamedTuple):
    """TCP ports, both ends included."""

    first: int
    last: int


def _range(raw: object) -> IPv4Network:
    text = str(raw)
    try:
        return IPv4Network(text)
    except ValueError as error:
        if re.fullmatch(r"[\d.]+/\d+", text) and "host bits" in str(error):
            raise ValueError(f"{text} has host bits set; write {IPv4Network(text, strict=False)}") from error
        raise ValueError(f"{text!r} is not an address range; write one such as 203.0.113.0/24") from error


def _ports(raw: object) -> PortRange:
    if isinstance(raw, PortRange):
        return raw
    match = re.fullmatch(r"(\d+)-(\d+)", str(raw))
    if not match:
        raise ValueError(f"{raw!r} is not a port range; write one such as 49152-49251")
    ports = PortRange(int(match[1]), int(match[2]))
    if ports.first > ports.last:
        raise ValueError(f"{raw} is reversed; write {ports.last}-{ports.first}")
    if ports.first < 1024 or ports.last > 65535:
        raise ValueError(f"{raw} is outside 1024-65535; choose ports within")
    if ports.first <= GLUSTERD_PORT <= ports.last:
        raise ValueError(f"{raw} holds {GLUSTERD_PORT}, which glusterd listens on; choose ports beside it")
    return ports


def _readable(path: Path) -> Path:
    path = ROOT / path
    if not path.is_file():
        raise ValueError(f"{path} is not a file; give the path of one, relative to the project")
    if not os.access(path, os.R_OK):
        raise ValueError(f"{path} cannot be read; check its permissions")
    return path


def matching(pattern: str, form: str) -> AfterValidator:
    """A check that a text has a form, which `form` says in words."""

    def check(text: str) -> str:
        if not re.fullmatch(pattern, text):
            raise ValueError(f"{text!r} is not {form}")
        return text

    return AfterValidator(check)


Range = Annotated[IPv4Network, BeforeValidator(_range)]
Ports = Annotated[PortRange, BeforeValidator(_ports)]
ReadableFile = Annotated[Path, AfterValidator(_readable)]
Name = Annotated[str, matching(r"[a-z]([a-z0-9-]{0,30}[a-z0-9])?", "a name; use a-z, 0-9 and -, a letter first")]
Volume = Annotated[str, matching(r"[a-z][a-z0-9_-]{0,30}", "a name; use a-z, 0-9, - and _, a letter first")]
BrickPath = Annotated[
    str, matching(r"(/[\w.-]+){2,}", "a path of at least two parts; write one such as /glusterfs/bricks/brick1/gv")
]
Directory = Annotated[str, matching(r"(/[\w.-]+)+", "a directory; write one such as /var/www/example.com")]
Domain = Annotated[str, matching(r"([a-z0-9-]+\.)+[a-z]+", "a domain; write one such as www.example.com")]
User = Annotated[str, matching(r"[\w.@-]{3,60}", "a user name; write 3 to 60 of a-z, 0-9, _ . @ -")]
Email = Annotated[str, matching(r"[^@\s]+@[^@\s]+\.[^@\s]+", "an e-mail address")]
HttpsUrl = Annotated[str, matching(r"https://\S+", "an https:// address")]
Sha256 = Annotated[str, matching(r"[0-9a-f]{64}", "a SHA-256 sum; write its 64 hexadecimal digits")]


class Section(BaseModel):
    """A part of the settings: no key in it is let pass unknown, and nothing changes once it is read."""

    # defaults are validated too: a check of one key against another must also see the key that was left out
    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True)


class Gluster(Section):
    """The replicated volume that holds the site's files."""

    volume: Volume = "wp"
    """The volume's name."""
    replica: int = Field(default=3, ge=2, le=8)
    """How many nodes hold the data."""
    accept_split_brain_risk: bool = False
    """Allow two copies without an arbiter: nodes that lose sight of each other can come to disagree for good."""
    accept_shared_zones: bool = False
    """Allow fewer zones than copies: the loss of one zone may then stop writes."""
    arbiter: Literal[0, 1] = 0
    """How many further nodes hold names and attributes only, as a vote; with it, `replica` is 2. The last by name."""
    brick: BrickPath = "/glusterfs/bricks/brick1/gv"
    """The brick's directory on its node, one below where the data disk is mounted."""
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


class Archive(Section):
    """WordPress's code from elsewhere than Debian's package: copied once, for a new site; then it updates itself."""

    url: HttpsUrl
    """Of a .tar.gz; the machines download it once."""
    sha256: Sha256
    """Of that file; anything else is refused."""


class Import(Section):
    """A site that exists, to be moved in: each part is loaded once, and never over a site that is there."""

    directory: Directory | None = None
    """Its document root on the first web node, where that is made from an image of the server that had it. It is copied
    onto the volume, every file compared by checksum, and then stays beside under a dated name.
    """
    files: ReadableFile | None = None
    """Local tar archive of its document root, packed with gzip or not at all."""
    database: ReadableFile | None = None
    """Local SQL dump of its database, as text or packed with gzip."""

    @field_validator("database")
    @classmethod
    def _something(cls, database: Path | None, info: ValidationInfo) -> Path | None:
        if database is None and all(info.data.get(key, "wrong") is None for key in ("directory", "files")):
            raise ValueError("nothing to import is named; give directory or files, database, or both, or leave it out")
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


class Bans(Section):
    """When an address that floods WordPress or guesses passwords is shut out, by every node alike."""

    hits: int = Field(default=20, ge=2, le=1000)
    """Requests that look like an attack within `seconds`."""
    seconds: int = Field(default=120, ge=10, le=3600)
    """The time that hits are counted over."""
    ban_seconds: int = Field(default=43200, ge=60, le=31_536_000)
    """How long the first ban lasts."""
    factor: int = Field(default=2, ge=1, le=10)
    """Each further ban of an address is this many times as long as the one before, up to a month."""


class Cache(Section):
    """Varnish, in front of WordPress on every web node."""

    memory_mb: int = Field(default=256, ge=64, le=65536)
    """Memory in MB for cached pages."""


class Node(Section):
    """One machine of the site."""

    role: Role | None = None
    """What it does, in a topology where not all nodes do the same (components/config/roles.py)."""
    brick: BrickPath | None = None
    """Where it differs from `gluster.brick`."""


class Settings(Section):
    """The settings of one stack, in a cloud's own form below."""

    cloud: Literal["aws", "digitalocean", "existing"] = "aws"
    """Where the machines come from."""
    topology: Topology = "converged"
    """Which node does what (components/config/roles.py)."""
    web: Literal["wordpress", "sessions", "apache"] = "wordpress"
    """What the site runs: WordPress; PHP with its sessions on the volume; Apache servers that exist already."""
    gluster: Gluster = Gluster()
    nodes: Mapping[Name, Node] = {}
    """The machines by name. A node's disk and its place in the volume go by its name."""
    site: Site | None = None
    """WordPress's own settings."""
    bans: Bans = Bans()
    cache: Cache = Cache()
    protect_data: bool = True
    """Refuse to delete the data disks and the database; deleting the stack then leaves them."""
    profile: bool = False
    """Write a profile of the program's run (components/profile.py)."""

    @property
    def node_roles(self) -> NodeRoles:
        """Which node does what."""
        return roles.node_roles(
            self.topology, {name: node.role for name, node in self.nodes.items()}, self.gluster.arbiter
        )

    @property
    def warnings(self) -> list[str]:
        """What is allowed here only because the settings say so, and what it costs."""
        if self.gluster.bricks == 2:
            return ["Two copies without an arbiter: nodes that lose sight of each other can end in split-brain."]
        return []

    @classmethod
    def default_nodes(cls, raw: RawSettings) -> dict[str, dict[str, object]]:
        """The nodes where the settings name none, as they would stand in the file."""
        defaults = roles.NODES.get(raw.value(str, "topology"), {})
        return {name: {"role": role} if role else {} for name, role in defaults.items()}

    @classmethod
    def cross_checks(cls, raw: RawSettings) -> Iterator[str]:
        """The lines for what one section says against another."""
        kind = raw.value(str, "topology")
        known = roles.ROLES.get(kind)
        for name, node in raw.sections("nodes").items():
            if known and node.get("role") not in known:
                output = f"is {node['role']!r}" if node.get("role") else "is missing"
                choice = ", ".join(role or "none" for role in known)
                yield f"nodes.{name}.role: {output}; topology {kind} has: {choice}"
        if node_roles := cls.known_roles(raw):
            yield from cls._enough(node_roles, raw)
        web = raw.value(str, "web")
        if web == "wordpress" and "site" not in raw.raw:
            yield "site.admin_email: is missing; add it"
        for section in ("site", "bans", "cache"):
            if web in ("sessions", "apache") and section in raw.raw:
                yield f"{section}: is WordPress's; leave it out with web: {web}"
        if web == "apache" and raw.value(str, "cloud") != "existing":
            yield "web: apache is for servers that run it already; set cloud: existing, or another web"
        code = {
            "archive": raw.value(dict, "site", "archive"),
            "import.directory": raw.value(str, "site", "import", "directory"),
            "import.files": raw.value(str, "site", "import", "files"),
        }
        first, *others = [name for name, value in code.items() if value] or [""]
        for name in others:
            yield f"site.{name}: is given beside {first}, and both bring WordPress's code; leave one out"

    @classmethod
    def known_roles(cls, raw: RawSettings) -> NodeRoles | None:
        """Which node does what, as far as the nodes' roles are right; None where the topology is not."""
        kind = raw.value(str, "topology")
        if kind not in roles.ROLES or raw.value(dict, "nodes") is None:
            return None
        named = {name: node.get("role") for name, node in raw.sections("nodes").items()}
        known = {name: role for name, role in named.items() if role in roles.ROLES[kind]}
        return roles.node_roles(kind, known, raw.value(int, "gluster", "arbiter") or 0)

    @classmethod
    def _enough(cls, node_roles: NodeRoles, raw: RawSettings) -> Iterator[str]:
        """The lines for nodes that are too many or too few for what they do."""
        replica, arbiter = raw.value(int, "gluster", "replica"), raw.value(int, "gluster", "arbiter")
        if replica is not None and arbiter is not None and len(node_roles.bricks) != replica + arbiter:
            yield (
                f"nodes: {len(node_roles.bricks)} hold a brick, but the volume needs {replica + arbiter} "
                f"(replica {replica}, arbiter {arbiter}); name as many, or change gluster.replica"
            )
        if not node_roles.web:
            yield "nodes: none serves; name one with role: web"
        if len(node_roles.balancers) == 1:
            yield "nodes: one balancer takes the site with it when it is lost; name two with role: balancer"
