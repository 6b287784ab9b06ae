"""The settings that every stack has: types, units, defaults and checks.

The file `stacks/Pulumi.<stack>.yaml` holds them under `ha-wordpress:`. Each cloud adds its own
(components/cloud/aws/settings.py and its siblings); components/config/loader.py reads them all. `make docs` writes
docs/settings.md and stacks/schema.json from these models: a field's docstring is its description there.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Annotated, Literal, NamedTuple

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    SecretStr,
    ValidationInfo,
    WithJsonSchema,
    field_validator,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema

from components.config import roles
from components.config.certificate import SET_CERTIFICATE, SET_KEY, chain_errors, expires_soon, key_errors
from components.config.errors import RawSettings
from components.config.placeholders import own_name, own_range
from components.config.roles import NodeRoles, Role, Topology

ROOT = Path(__file__).parents[2]
"""Base of relative paths in the settings, independent of the working directory."""

GLUSTERD_PORT = 24007


class PortRange(NamedTuple):
    """TCP ports from `first` to `last`, both included."""

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


def _any_range(raw: object) -> IPv4Network | IPv6Network:
    if "." in str(raw):
        return _range(raw)
    try:
        return ip_network(str(raw))
    except ValueError as error:
        raise ValueError(f"{str(raw)!r} is not an address range; write one such as 2001:db8::/32") from error


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
        raise ValueError(f"{raw} is outside 1024-65535; choose ports within that range")
    if ports.first <= GLUSTERD_PORT <= ports.last:
        raise ValueError(f"{raw} contains {GLUSTERD_PORT}, the port of glusterd; choose a range without it")
    return ports


def _readable(path: Path) -> Path:
    path = ROOT / path
    if not path.is_file():
        raise ValueError(f"{path} is not a file; write a path relative to the project")
    if not os.access(path, os.R_OK):
        raise ValueError(f"{path} cannot be read; check its permissions")
    return path


def _moment(text: str) -> str:
    try:
        datetime.fromisoformat("9999-01-01" if text == "latest" else text)
    except ValueError as error:
        raise ValueError(f'{text!r} is not a time ({error}); write one such as "2026-11-30T08:00:00Z"') from error
    return text


@dataclass(frozen=True)
class Matches:
    """A check of a text's form, for use in Annotated.

    `pattern`: a regular expression that the whole text must match, in a form that JSON Schema understands too.
    `form`: what the text must be and an example or the allowed characters, as in "a region; write one such as nyc3".
    """

    pattern: str
    form: str

    def __get_pydantic_core_schema__(self, source: type, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_after_validator_function(self._checked, handler(source))

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        return handler(schema) | json_form(self.pattern, self.form)

    def _checked(self, text: str) -> str:
        if not re.fullmatch(self.pattern, text):
            raise ValueError(f"{text!r} is not {self.form}")
        return text


def json_form(pattern: str, form: str) -> JsonSchemaValue:
    """The JSON schema of a text with a form; editors show `patternErrorMessage` in place of the pattern."""
    return {"type": "string", "pattern": f"^({pattern})$", "patternErrorMessage": f"must be {form}"}


Gigabytes = Annotated[int, Field(json_schema_extra={"unit": "GB"})]
Megabytes = Annotated[int, Field(json_schema_extra={"unit": "MB"})]
Seconds = Annotated[int, Field(json_schema_extra={"unit": "seconds"})]
Days = Annotated[int, Field(json_schema_extra={"unit": "days"})]

Range = Annotated[
    IPv4Network,
    BeforeValidator(_range),
    WithJsonSchema(json_form(r"\d+(\.\d+){3}(/\d+)?", "an address range; write one such as 203.0.113.0/24")),
]
OwnRange = Annotated[Range, AfterValidator(own_range)]
OwnAnyRange = Annotated[
    IPv4Network | IPv6Network,
    BeforeValidator(_any_range),
    AfterValidator(own_range),
    WithJsonSchema(
        json_form(r"[0-9a-fA-F.:]+(/\d+)?", "an address or a range; write one such as 203.0.113.9 or 2001:db8::/32")
    ),
]
Ports = Annotated[
    PortRange,
    BeforeValidator(_ports),
    WithJsonSchema(json_form(r"\d+-\d+", "a port range; write one such as 49152-49251")),
]
ReadableFile = Annotated[Path, AfterValidator(_readable)]
Name = Annotated[
    str, Matches(r"[a-z]([a-z0-9-]{0,30}[a-z0-9])?", "a name; use a-z, 0-9 and -, and begin with a letter")
]
Volume = Annotated[str, Matches(r"[a-z][a-z0-9_-]{0,30}", "a name; use a-z, 0-9, - and _, and begin with a letter")]
BrickPath = Annotated[
    str, Matches(r"(/[\w.-]+){2,}", "a path of at least two parts; write one such as /glusterfs/bricks/brick1/gv")
]
Directory = Annotated[str, Matches(r"(/[\w.-]+)+", "a directory; write one such as /var/www/example.com")]
Domain = Annotated[
    str,
    Matches(r"([a-z0-9-]+\.)+[a-z]+", "a domain; write one such as www.example.com"),
    AfterValidator(own_name),
]
User = Annotated[str, Matches(r"[\w.@-]{3,60}", "a user name; use 3 to 60 letters, digits and _ . @ -")]
SmtpUser = Annotated[str, Matches(r"\S+", "a login name; write one without spaces")]
Email = Annotated[
    str,
    Matches(r"[^@\s]+@[^@\s]+\.[^@\s]+", "an e-mail address; write one such as editor@example.com"),
    AfterValidator(own_name),
]
HttpsUrl = Annotated[
    str, Matches(r"https://\S+", "an https:// address; write one such as https://example.com/code.tar.gz")
]
AcmeDirectory = Annotated[
    str,
    Matches(
        r"https://\S+", "an ACME directory; write one such as https://acme-staging-v02.api.letsencrypt.org/directory"
    ),
]
S3Endpoint = Annotated[
    str,
    Matches(
        r"https://[a-zA-Z0-9.-]+(:\d+)?",
        "the address of an S3 service; write one such as https://nyc3.digitaloceanspaces.com",
    ),
]
Bucket = Annotated[
    str, Matches(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]", "a bucket's name; use 3 to 63 of a-z, 0-9, - and .")
]
AccessKeyId = Annotated[str, Matches(r"\S+", "an access key's ID; write one without spaces")]
Calendar = Annotated[
    str,
    Matches(
        r"[A-Za-z0-9*:,./ ~-]+",
        "a time of systemd's calendar (systemd.time(7)); write one such as daily or *-*-* 03:00:00 UTC",
    ),
]
Moment = Annotated[
    str,
    Matches(
        r"latest|\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ",
        # without quotes, YAML reads it as a time, which Pulumi passes on in another form
        'a backup\'s time; write latest, or one in quotes such as "2026-11-30T08:00:00Z"',
    ),
    AfterValidator(_moment),
]
Sha256 = Annotated[str, Matches(r"[0-9a-f]{64}", "a SHA-256 sum; write its 64 hexadecimal digits")]


class Section(BaseModel):
    """A section of the settings: refuses unknown keys, and cannot be changed after it is read."""

    # defaults are validated too: a check of one key against another also needs a key that was left out
    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True, use_attribute_docstrings=True)


class Gluster(Section):
    """The replicated volume that holds the site's files."""

    volume: Volume = "wp"
    """Name of the volume."""
    replica: int = Field(default=3, ge=2, le=8)
    """Number of nodes that hold the data. The topologies `separate` and `balancers` have the default 2."""
    accept_split_brain_risk: bool = False
    """Allow two copies without an arbiter. Nodes that lose contact with each other can then end in split-brain."""
    accept_shared_zones: bool = False
    """Allow fewer zones than copies. The loss of one zone may then stop writes."""
    arbiter: Literal[0, 1] = 0
    """Number of additional nodes that hold only names and attributes, for the quorum; needs `replica: 2`. The
    topologies `separate` and `balancers` have the default 1.
    """
    brick: BrickPath = "/glusterfs/bricks/brick1/gv"
    """Directory of the brick on its node; the data disk is mounted at the directory above it."""
    disk_gb: Gigabytes = Field(default=20, ge=1, le=16384)
    """Size of each node's data disk. It can grow but never shrink."""
    ping_timeout: Seconds = Field(default=3, ge=1, le=42)
    """Time without an answer after which a client treats a node as lost.

    Clients stall for up to twice this time: a client pings each node once per period, and disconnects after one more
    whole period in which it received nothing (GlusterFS, rpc/rpc-lib/src/rpc-clnt-ping.c; the period starts again while
    requests are still being sent). The default of 3 keeps the stall below 8 s.
    """
    ports: Ports = PortRange(49152, 49251)
    """TCP ports of the bricks, open between the nodes only. GlusterFS 10.0 and later picks a brick's port at random
    within this range (gluster/glusterfs#786).
    """
    tls: bool = True
    """Encrypt and authenticate storage traffic, with certificates of the stack's own authority. It costs a page that
    no cache holds about a tenth more time, and a write that is synced about half as much more. A volume that exists is
    not changed (docs/operations.md, "Encrypted storage traffic").
    """

    @field_validator("arbiter")
    @classmethod
    def _fits_replica(cls, arbiter: int, info: ValidationInfo) -> int:
        replica = info.data.get("replica")
        if replica == 2 and not arbiter and not info.data.get("accept_split_brain_risk"):
            raise ValueError(
                "two copies without an arbiter can end in split-brain; "
                "set arbiter: 1, or replica: 3, or accept_split_brain_risk: true"
            )
        if arbiter and replica not in (None, 2):
            raise ValueError(f"GlusterFS supports an arbiter with two copies only, not with {replica}; set replica: 2")
        return arbiter

    @property
    def bricks(self) -> int:
        """The number of bricks in the volume, the arbiter included."""
        return self.replica + self.arbiter


class Archive(Section):
    """WordPress's code from an archive in place of Debian's package. Copied once, to a new site; WordPress then
    installs minor updates by itself.
    """

    url: HttpsUrl
    """Address of a .tar.gz file. The machines download it once."""
    sha256: Sha256
    """SHA-256 sum of that file. A file with another sum is refused."""


class Import(Section):
    """An existing site to import. Each part is loaded once, and never overwrites a site that is already there."""

    directory: Directory | None = None
    """Document root on the first web node, for a node made from an image of the old server. Its files are copied onto
    the volume and compared by checksum; the original stays beside it under a dated name.
    """
    files: ReadableFile | None = None
    """Local tar archive of the old document root, uncompressed or packed with gzip. Relative to the project."""
    database: ReadableFile | None = None
    """Local SQL dump of the old database, as text or packed with gzip. Relative to the project."""

    accept_lost_htaccess: bool = False
    """Import a site of Apache although its .htaccess files protect files or pages. nginx reads no .htaccess files:
    everybody can then open what they protected.
    """

    @field_validator("database")
    @classmethod
    def _names_a_source(cls, database: Path | None, info: ValidationInfo) -> Path | None:
        if database is None and all(info.data.get(key, "wrong") is None for key in ("directory", "files")):
            raise ValueError("nothing to import is named; set directory or files, database, or both, or omit import")
        return database


class Restore(Section):
    """A backup that a new stack begins with: the files and the database come from the repository of `backup`, once, and
    never over a site that is already there. The administrator `admin_user` gets the password of the stack's outputs; if
    the backup has no such user, one is added. docs/operations.md, "Back up and restore", says what else is new.
    """

    from_: Moment = Field(alias="from")
    """`latest`, or a time in UTC: the last backup before it is taken."""


class Smtp(Section):
    """The mail server that takes the site's mail, over TLS only: its certificate must name `host`. The password is the
    key `smtp_password`.
    """

    host: Domain
    """Host name of the server."""
    port: int = Field(default=587, ge=1, le=65535)
    """Port of the server: 465 for TLS from the first byte; on any other, the server must offer STARTTLS."""
    user: SmtpUser
    """Login name at the server."""
    from_: Email | None = Field(default=None, alias="from")
    """Sender of the mail. With `web: wordpress` the default is `wordpress@` and `site.domain` without `www.`."""


class Site(Section):
    """WordPress's own settings: required with `web: wordpress`, refused with any other `web`."""

    title: str = "WordPress"
    """Title of a new site."""
    domain: Domain | None = None
    """Domain name that visitors use, required for HTTPS. Default: the address of the load balancer or the virtual IP.
    The stack's output `dns_records` lists the record to make, unless the settings let the stack make it.
    """
    admin_user: User = "editor"
    """Login name of the administrator of a new site."""
    admin_email: Email
    """E-mail address of the administrator of a new site."""
    smtp: Smtp | None = None
    """The mail server that takes WordPress's mail. Without one, WordPress sends no mail."""
    archive: Archive | None = None
    """WordPress's code from an archive in place of Debian's package."""
    import_: Import | None = Field(default=None, alias="import")
    """An existing site to import."""
    restore: Restore | None = None
    """A backup that a new stack begins with."""

    @property
    def sender(self) -> str:
        """Sender of the site's mail, as WordPress chooses it."""
        if self.smtp and self.smtp.from_:
            return self.smtp.from_
        return f"wordpress@{(self.domain or '').removeprefix('www.')}"


class Bans(Section):
    """Limits for an address that guesses passwords. Every web node and every balancer of the site's own refuses a
    banned address. Only with `web: wordpress`. The bans of scans and floods have fixed limits
    (components/fail2ban/jail.conf).
    """

    hits: int = Field(default=20, ge=2, le=1000)
    """Number of logins within `seconds` that cause a ban: POSTs to `wp-login.php`, to `xmlrpc.php`, or to a shop's
    `my-account`.
    """
    seconds: Seconds = Field(default=120, ge=10, le=3600)
    """Time over which the logins of an address are counted."""
    ban_seconds: Seconds = Field(default=43200, ge=60, le=31_536_000)
    """Length of the first ban."""
    factor: int = Field(default=2, ge=1, le=10)
    """Each further ban of an address is this many times as long as the one before, up to a month."""
    ignore: list[OwnAnyRange] = []
    """Addresses and ranges that are never banned, such as those of an office or a monitoring service. The machines'
    network and `network.ssh_from` never are.
    """


class Cache(Section):
    """Varnish, in front of WordPress on every web node. Only with `web: wordpress`."""

    memory_mb: Megabytes = Field(default=256, ge=64, le=65536)
    """Memory for cached pages."""


class Acme(Section):
    """A certificate by ACME (RFC 8555): each balancer obtains its own, and renews it 30 days before its end."""

    email: Email
    """Address for the authority's notices. Setting it accepts the authority's terms of service."""
    directory: AcmeDirectory = "https://acme-v02.api.letsencrypt.org/directory"
    """Address of the authority's directory. The default is that of Let's Encrypt."""


class Tls(Section):
    """HTTPS on balancers of the site's own: HTTP redirects to it. Needs either `certificate`, with its key in
    `tls_private_key`, or `acme`. Behind a cloud's load balancer, which gets its certificate by `balancer`, only
    `domain` applies.
    """

    domain: Domain | None = None
    """Domain name that visitors use. Its DNS record points at the virtual IP, which is the default on existing
    machines, or at the cloud's load balancer. WordPress has `site.domain` in its place. Required with `acme`.
    """
    certificate: str | None = None
    """Certificate for that domain, followed by the intermediate certificates, as PEM text. Set it with
    `pulumi config set --path tls.certificate <chain.pem`, and again, with its key, when it is renewed.
    """
    acme: Acme | None = None
    """Certificates that the balancers obtain by themselves, from Let's Encrypt or another authority. Until the domain's
    DNS record leads to them, they show one that no browser trusts.
    """


class Keep(Section):
    """Number of backups that are kept. Those of the last day are all kept beside them."""

    daily: int = Field(default=7, ge=1, le=366)
    """The last backup of each of this many days."""
    weekly: int = Field(default=4, ge=0, le=520)
    """The last backup of each of this many weeks."""
    monthly: int = Field(default=12, ge=0, le=120)
    """The last backup of each of this many months."""


class Backup(Section):
    """Backups of WordPress's files and database in object storage: encrypted, deduplicated, and made by one node at a
    time. Only with `web: wordpress`. The stack makes the bucket, unless `bucket` names one; set `at` at least. More in
    docs/operations.md, "Back up and restore".
    """

    bucket: Bucket | None = None
    """An existing bucket, of this site alone. Default: the stack makes one, and the nodes' access to it."""
    access_key_id: AccessKeyId | None = None
    """ID of an access key with rights on that bucket only, required with it. Its secret is the key
    `backup_secret_access_key`.
    """
    endpoint: S3Endpoint | None = None
    """Address of that bucket's S3 service, if it is not Amazon's."""
    at: Calendar = "daily"
    """Times of the backups, as systemd.time(7) writes them. A restored site lacks all that was written after the last.
    """
    keep: Keep = Keep()
    """Number of backups that are kept."""


class Network(Section):
    """The way of visitors to the site."""

    trusted_proxies: list[OwnAnyRange] = []
    """Ranges of a content delivery network (CDN) or of other proxies that visitors come through. The visitor is then
    the one that the proxy names in X-Forwarded-For: bans and limits are the visitor's, and the proxies' never.
    """
    only_trusted_proxies: bool = False
    """Admit HTTP and HTTPS from `trusted_proxies` only, so that visitors cannot pass them by."""

    @field_validator("trusted_proxies")
    @classmethod
    def _leaves_visitors(cls, ranges: list[IPv4Network | IPv6Network]) -> list[IPv4Network | IPv6Network]:
        if any(each.prefixlen == 0 for each in ranges):
            raise ValueError("a range of all addresses lets visitors name any address; name the proxies' ranges only")
        return ranges

    @property
    def visitors_from(self) -> list[str]:
        """Ranges that HTTP and HTTPS are admitted from, in CIDR notation; empty if from anywhere.

        IPv4 only, as no site has an IPv6 address for visitors.
        """
        ranges = self.trusted_proxies if self.only_trusted_proxies else []
        return [str(each) for each in ranges if each.version == 4]


class Node(Section):
    """One machine of the site."""

    role: Role | None = None
    """Task of the node. The topology decides which roles there are, and whether a node needs one."""
    brick: BrickPath | None = None
    """Brick directory of this node, if it differs from `gluster.brick`."""


class Alarms(Section):
    """Mail about troubles, such as an offline brick or a full disk: each trouble that lasts over five minutes is mailed
    once, and again when it is over. Amazon and DigitalOcean mail what the nodes cannot see. docs/operations.md, "Watch
    and alarms", lists the troubles.
    """

    mail: Email
    """Address that gets the mail."""
    smtp: Smtp | None = None
    """The mail server of a site without WordPress; with `web: wordpress` it is `site.smtp`."""


class Maintenance(Section):
    """Upgrades and reboots, one node of the site at a time, and only while all others are whole. Security updates then
    wait for it. Only behind a cloud's load balancer. docs/operations.md, "Upgrades and reboots", describes it.
    """

    at: Calendar
    """Times at which it begins on all nodes, as systemd.time(7) writes them. A node that waits for no upgrade and no
    reboot does nothing.
    """


class Settings(Section):
    """The settings of one stack. Each cloud has a subclass with its own sections."""

    cloud: Literal["aws", "digitalocean", "existing"] = "aws"
    """Source of the machines: Amazon, DigitalOcean, or servers that exist already."""
    topology: Topology = "converged"
    """Tasks of the nodes (components/config/roles.py). `converged`: every node holds and serves the files. `separate`:
    storage nodes hold the files, web nodes serve them. `balancers`: the balancers hold the files, web nodes serve them.
    """
    web: Literal["wordpress", "sessions", "apache"] = "wordpress"
    """Software of the site: WordPress, PHP with its sessions on the volume, or existing Apache servers."""
    gluster: Gluster = Gluster()
    """The replicated volume."""
    nodes: Mapping[Name, Node] = {}
    """The machines by name. A node's disk and its place in the volume belong to its name."""
    site: Site | None = None
    """WordPress's own settings."""
    tls: Tls | None = None
    """HTTPS on balancers of the site's own, and the domain of a site without WordPress."""
    tls_private_key: SecretStr = SecretStr("")
    """Private key of `tls.certificate`, as PEM text, required with it. Set it with
    `pulumi config set --secret tls_private_key <key.pem`.
    """
    smtp_password: SecretStr = SecretStr("")
    """Password for `site.smtp` or `alarms.smtp`, required with it. Set it with
    `pulumi config set --secret smtp_password`.
    """
    backup: Backup | None = None
    """Backups in object storage. Without them, files and database exist once."""
    backup_secret_access_key: SecretStr = SecretStr("")
    """Secret of `backup.access_key_id`, required with it. Set it with
    `pulumi config set --secret backup_secret_access_key`.
    """
    backup_password: SecretStr = SecretStr("")
    """Password that encrypts the backups, required with `backup`. Without it no backup can be read: keep it outside the
    stack too, as the stack's state may be lost with the site. Set it with `pulumi config set --secret backup_password`.
    """
    alarms: Alarms | None = None
    """Mail about troubles. Without it, no node checks itself, and none shows its figures."""
    maintenance: Maintenance | None = None
    """Upgrades and reboots by a timer. Without it, security updates install themselves, and no node reboots by itself.
    """
    bans: Bans = Bans()
    """Limits that cause a ban."""
    cache: Cache = Cache()
    """The page cache."""
    accept_plain_http: bool = False
    """Allow WordPress without HTTPS. Passwords and pages can then be read and changed on their way."""
    protect_data: bool = True
    """Refuse to delete the data disks and the database. Destroying the stack then leaves them in the cloud."""
    profile: bool = False
    """Write a profile of the program's run (components/profile.py)."""
    network: Network = Network()
    """The way of visitors to the site."""

    @property
    def node_roles(self) -> NodeRoles:
        """Node names by task."""
        return roles.node_roles(
            self.topology, {name: node.role for name, node in self.nodes.items()}, self.gluster.arbiter
        )

    @property
    def domain(self) -> str | None:
        """Domain name that visitors use; None if they use an address."""
        section = self.site or self.tls
        return section.domain if section else None

    @property
    def smtp(self) -> Smtp | None:
        """The mail server of the nodes."""
        section = self.site or self.alarms
        return section.smtp if section else None

    @property
    def sender(self) -> str:
        """Sender of the nodes' mail; empty without a mail server."""
        if self.site:
            return self.site.sender
        return (self.smtp and self.smtp.from_) or ""

    @property
    def warnings(self) -> list[str]:
        """One line for each risk that the settings accept."""
        warnings = []
        if self.gluster.bricks == 2:
            warnings.append(
                "Two copies without an arbiter: nodes that lose contact with each other can end in split-brain."
            )
        if self.accept_plain_http:
            warnings.append(
                "accept_plain_http is set: without HTTPS, passwords and pages can be read and changed on their way."
            )
        if self.tls and self.tls.certificate and (end := expires_soon(self.tls.certificate)):
            warnings.append(f"tls.certificate expires on {end:%Y-%m-%d}: renew it, and set it and its key again.")
        if self.site and not self.site.smtp:
            warnings.append(
                "site.smtp is not set: WordPress cannot send mail, so password resets and notices are lost."
            )
        return warnings

    @classmethod
    def default_nodes(cls, raw: RawSettings) -> dict[str, dict[str, object]]:
        """The nodes for settings that name none, in the form of the stack file."""
        topology = raw.value(str, "topology")
        defaults = roles.NODES[topology] if roles.is_topology(topology) else {}
        return {name: {"role": role} if role else {} for name, role in defaults.items()}

    @classmethod
    def cross_checks(cls, raw: RawSettings) -> Iterator[str]:
        """Yield an error line for each conflict between two sections."""
        topology = raw.value(str, "topology")
        if roles.is_topology(topology):
            for name, node in raw.sections("nodes").items():
                role = node.get("role")
                if not roles.is_role(role, topology):
                    problem = f"is {role!r}" if role else "is missing"
                    allowed = ", ".join(each or "none" for each in roles.ROLES[topology])
                    yield f"nodes.{name}.role: {problem}; topology {topology} has: {allowed}"
        if node_roles := cls.valid_roles(raw):
            yield from cls._node_count_errors(node_roles, raw)
        web = raw.value(str, "web")
        if web == "wordpress" and "site" not in raw.raw:
            yield "site.admin_email: is missing; add it"
        for section in ("site", "bans", "cache", "backup"):
            if web in ("sessions", "apache") and section in raw.raw:
                yield f"{section}: applies to WordPress only; omit it with web: {web}"
        if web == "apache" and raw.value(str, "cloud") != "existing":
            yield "web: apache needs servers that run it already; set cloud: existing, or choose another web"
        yield from cls._tls_errors(raw)
        sources = {
            "archive": raw.section("site", "archive"),
            "import.directory": raw.value(str, "site", "import", "directory"),
            "import.files": raw.value(str, "site", "import", "files"),
            "restore": raw.section("site", "restore"),
        }
        first, *others = [name for name, value in sources.items() if value] or [""]
        for name in others:
            yield f"site.{name}: conflicts with {first}, which brings WordPress's code too; omit one of them"
        if sources["restore"] and raw.value(str, "site", "import", "database"):
            yield "site.restore: conflicts with import.database, which brings the tables too; omit one of them"
        yield from cls._smtp_errors(raw)
        yield from cls._backup_errors(raw)
        yield from cls._maintenance_errors(raw)
        proxies = raw.value(list, "network", "trusted_proxies")
        if proxies and web == "apache":
            yield "network.trusted_proxies: Apache's own configuration names them; omit it with web: apache"
        only_proxies = raw.value(bool, "network", "only_trusted_proxies")
        if only_proxies and not any("." in str(each) for each in proxies or []):
            yield "network.only_trusted_proxies: would close the site; add IPv4 ranges to network.trusted_proxies"

    @classmethod
    def _smtp_errors(cls, raw: RawSettings) -> Iterator[str]:
        """Yield an error line for each part of the mail server's settings that lacks another."""
        wordpress = raw.value(str, "web") == "wordpress"
        section = "site" if wordpress else "alarms"
        server, smtp, password = f"{section}.smtp", raw.section(section, "smtp"), raw.value(str, "smtp_password")
        if smtp and not password:
            yield (
                f"smtp_password: is missing, but {server} needs it; "
                "set it with: pulumi config set --secret smtp_password"
            )
        if password and not raw.has(section, "smtp"):
            yield f"smtp_password: needs its server; add {server}, or remove it with: pulumi config rm smtp_password"
        if "alarms" in raw.raw and not raw.has(section, "smtp"):
            yield f"alarms: needs a mail server; add {server}, or omit alarms"
        if wordpress and raw.has("alarms", "smtp"):
            yield "alarms.smtp: has no effect on WordPress; set site.smtp, and omit alarms.smtp"
        if smtp and "from" not in smtp:
            if not wordpress:
                yield "alarms.smtp.from: is missing; add it"
            elif not raw.has("site", "domain"):
                yield "site.smtp.from: is missing, and without site.domain mail has no sender; add one of them"

    @classmethod
    def _backup_errors(cls, raw: RawSettings) -> Iterator[str]:
        """Yield an error line for each part of the backups' settings that lacks another."""
        password = raw.value(str, "backup_password")
        if "backup" in raw.raw and not password:
            yield (
                "backup_password: is missing, but backup needs it; "
                "set it with: pulumi config set --secret backup_password"
            )
        if password and "backup" not in raw.raw:
            yield "backup_password: needs backups; add backup.at, or remove it with: pulumi config rm backup_password"
        key, secret = raw.has("backup", "access_key_id"), raw.value(str, "backup_secret_access_key")
        if key and not secret:
            yield (
                "backup_secret_access_key: is missing, but backup.access_key_id needs it; "
                "set it with: pulumi config set --secret backup_secret_access_key"
            )
        if secret and not key:
            yield (
                "backup_secret_access_key: needs its ID; add backup.access_key_id, "
                "or remove it with: pulumi config rm backup_secret_access_key"
            )
        if key and not raw.has("backup", "bucket"):
            yield "backup.bucket: is missing; add it, or omit backup.access_key_id"
        for name in ("bucket", "endpoint"):
            if raw.has("backup", name) and not key:
                yield f"backup.{name}: needs backup.access_key_id; add it, or omit {name}: the stack makes a bucket"
        if raw.section("site", "restore") and not raw.has("backup", "bucket"):
            yield "site.restore: needs the bucket that has the backups; add backup.bucket, or omit site.restore"

    @classmethod
    def _maintenance_errors(cls, raw: RawSettings) -> Iterator[str]:
        """Yield an error line for maintenance of a site without a cloud's load balancer."""
        if "maintenance" not in raw.raw:
            return
        node_roles = cls.valid_roles(raw)
        if raw.value(str, "cloud") == "existing":
            yield "maintenance: applies to machines that the stack makes; omit it with cloud: existing"
        elif node_roles and node_roles.balancers:
            yield "maintenance: needs a cloud's load balancer; omit it with role: balancer"

    @classmethod
    def https_errors(cls, raw: RawSettings, zone: str, certificate: str) -> Iterator[str]:
        """Yield an error line for HTTPS or a DNS record without a domain, for a certificate that no balancer has, and
        for plain HTTP that the settings do not accept.

        `zone`, `certificate`: the keys of `balancer` with the zone of the domain's record and with the certificate of
        the cloud's load balancer. With `zone` alone, the stack makes that certificate. The site's own balancers have
        theirs in `tls`.
        """
        node_roles = cls.valid_roles(raw)
        own_balancers = bool(node_roles and node_roles.balancers)
        keys = [zone] if own_balancers else [zone, certificate]
        stated = [f"balancer.{key}" for key in keys if raw.value(str, "balancer", key)]
        if raw.value(str, "balancer", certificate) and own_balancers:
            yield f"balancer.{certificate}: has no effect with role: balancer; set tls, and omit it"
        section = cls.domain_section(raw)
        # with tls, balancers of the site's own need the domain in any case
        if stated and not raw.has(section, "domain") and not (own_balancers and "tls" in raw.raw):
            yield f"{section}.domain: is missing, but {stated[0]} needs it; add it"
        secure = "tls" in raw.raw if own_balancers else stated
        if raw.value(str, "web") == "wordpress" and not secure and raw.value(str, "accept_plain_http") != "true":
            way = "tls" if own_balancers else " or ".join(f"balancer.{key}" for key in keys)
            yield (
                "site: has no HTTPS, so passwords can be read on their way; "
                f"set site.domain and {way}, or accept_plain_http: true"
            )

    @classmethod
    def domain_section(cls, raw: RawSettings) -> str:
        """The section that has the site's domain."""
        return "site" if raw.value(str, "web") == "wordpress" else "tls"

    @classmethod
    def _tls_errors(cls, raw: RawSettings) -> Iterator[str]:
        """Yield an error line for each mistake in the certificate of the site's own balancers, and in its key."""
        key = raw.value(str, "tls_private_key")
        if "tls" not in raw.raw:
            if key:
                yield "tls_private_key: needs its certificate; add tls.certificate, or omit tls_private_key"
            return
        node_roles = cls.valid_roles(raw)
        section = cls.domain_section(raw)
        if node_roles and not node_roles.balancers:
            wrong = {"tls": True}
            if section == "tls" and raw.value(str, "cloud") != "existing":
                # the cloud's load balancer has the certificate, and `tls` only the domain
                wrong = {
                    "tls.certificate": raw.has("tls", "certificate"),
                    "tls.acme": raw.has("tls", "acme"),
                    "tls_private_key": bool(key),
                }
            for place, given in wrong.items():
                if given:
                    yield f"{place}: needs balancers of the site's own; give two nodes role: balancer, or omit it"
            return
        domain, acme = raw.value(str, "tls", "domain"), raw.has("tls", "acme")
        name = domain or (None if acme else raw.value(str, "network", "virtual_ip"))
        if section == "site":
            name = raw.value(str, "site", "domain")
            if domain:
                yield "tls.domain: has no effect on WordPress; set site.domain, and omit tls.domain"
        if not name:
            yield f"{section}.domain: is missing, but HTTPS needs the certificate's domain; add it"
        chain = raw.value(str, "tls", "certificate")
        if acme:
            for place in [*(["tls.certificate"] if chain else []), *(["tls_private_key"] if key else [])]:
                yield f"{place}: conflicts with tls.acme, by which the balancers obtain theirs; omit one of them"
            return
        if not raw.has("tls", "certificate"):
            yield f"tls.certificate: is missing; {SET_CERTIFICATE}, or add tls.acme"
        elif chain:
            yield from (f"tls.certificate: {error}" for error in chain_errors(chain, name))
        if not key:
            yield f"tls_private_key: is missing, but tls needs it; {SET_KEY}"
        else:
            yield from (f"tls_private_key: {error}" for error in key_errors(key, chain or ""))

    @classmethod
    def valid_roles(cls, raw: RawSettings) -> NodeRoles | None:
        """The roles of the nodes whose role is valid; None if the topology is unknown or `nodes` is not a section."""
        topology = raw.value(str, "topology")
        if not roles.is_topology(topology) or raw.section("nodes") is None:
            return None
        valid: dict[str, Role | None] = {}
        for name, node in raw.sections("nodes").items():
            role = node.get("role")
            if roles.is_role(role, topology):
                valid[name] = role
        return roles.node_roles(topology, valid, raw.value(int, "gluster", "arbiter") or 0)

    @classmethod
    def _node_count_errors(cls, node_roles: NodeRoles, raw: RawSettings) -> Iterator[str]:
        """Yield an error line for each task that has too few or too many nodes."""
        replica, arbiter = raw.value(int, "gluster", "replica"), raw.value(int, "gluster", "arbiter")
        if replica is not None and arbiter is not None and len(node_roles.bricks) != replica + arbiter:
            yield (
                f"nodes: {len(node_roles.bricks)} hold a brick, but the volume needs {replica + arbiter} "
                f"(replica {replica}, arbiter {arbiter}); add or remove nodes, or change gluster.replica"
            )
        if not node_roles.web:
            yield "nodes: no node serves pages; give one role: web"
        if len(node_roles.balancers) == 1:
            yield "nodes: the loss of the only balancer would stop the site; give two nodes role: balancer"
