"""The steps' parameters, as the components make them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from components.cloud.aws import database
from components.cloud.aws.certificates import database_ca
from components.cloud.interface import Ports
from components.config.settings import GLUSTERD_PORT, Cache, Gluster, PortRange
from components.firewall import firewall
from components.gluster.certificate import TLS, VALIDITY
from components.gluster.mount import fallback_order, volume_params
from components.gluster.volume import METADATA_CACHE, lines, volume_options
from components.machine.etc_hosts import host_name
from components.machine.remote import RESTART
from components.machine.template import render
from components.varnish import varnish as cache
from components.web.web import PORT, PORT_BEHIND_CACHE, RESERVED_MB, USER_ID, nginx
from components.wordpress.stack import MOUNT_OPTIONS, WordPressStack
from components.wordpress.wordpress import SALT_LENGTH, SALTS, smtp_params
from rehearsal.plugins import tls
from rehearsal.plugins.protocol import Properties, ResourceType
from tests.scripts.node import COMPONENTS, Node

NETWORK = "10.20.0.0/16"
OPERATORS = "203.0.113.64/26"
PROXIES = "198.51.100.192/26"
ROOT = "/var/www/html"
PEERS = [host_name(name) for name in ("gfs1", "gfs2", "gfs3")]
PORTS = Gluster().ports
BRICK = Gluster().brick
BRICK_MOUNT = BRICK.rsplit("/", 1)[0]

GLUSTERD = {"BASE_PORT": str(PORTS.first), "MAX_PORT": str(PORTS.last)}
"""Parameters of gluster/glusterd.sh."""


def packet_filter(*visitors_from: str) -> dict[str, str]:
    """Parameters of firewall/firewall.sh. `visitors_from`: the only ranges of visitors, if there are any."""
    internal = [
        Ports("glusterd", PortRange(GLUSTERD_PORT, GLUSTERD_PORT), root_only=True),
        Ports("bricks", PORTS, root_only=True),
        *(ports for ports in WordPressStack.peers if ports.range.first != cache.PORT),
    ]
    return {"RULES": firewall.rules(internal, NETWORK, visitors_from), **firewall.UNITS}


FIREWALL = packet_filter()
"""Parameters of firewall/firewall.sh."""

VOLUME = {
    "VOLUME": "wp",
    "REPLICA": "replica 3",
    "BRICKS": " ".join(f"{peer}:{BRICK}" for peer in PEERS),
    "OPTIONS": lines(volume_options(Gluster(), USER_ID, NETWORK)),
    "METADATA_CACHE": lines(METADATA_CACHE),
    "TLS": lines(TLS),
}
"""Parameters of gluster/volume.sh."""

HEALED = r"""
gluster --mode=script volume heal wp info summary |
    awk '/^Status: Connected/ { bricks++ } /^Total/ { pending += $NF } END { exit !(bricks == 3 && pending == 0) }'
"""
"""Succeeds when every brick answers and no entry is pending."""

TITLE = 'It\'s a "site" of $5'
"""Holds characters that shell, PHP and SQL must quote."""

SITE_USER = "wordpress_site"
SITE_PASSWORD = "Qm3vT8sLk2Xw9BzR"
"""Password of the site's own user of the database."""

ADMIN_PASSWORD = "correct horse $battery 'staple'"

SMTP_USER = "site@mail"
SMTP_PASSWORD = "tls $only 'please'"

SALT_VALUES = {name: f"{at}" * SALT_LENGTH for at, name in enumerate(SALTS)}


def text(file: str) -> str:
    """The content of a file of components/, by its path there."""
    return (COMPONENTS / file).read_text()


def hosts(nodes: Mapping[str, Node]) -> dict[str, str]:
    return {"HOSTS": "\n".join(f"{node.address} {host_name(name)}" for name, node in nodes.items())}


@dataclass(frozen=True)
class StorageAuthority:
    """The authority that signs the nodes' certificates, and its key."""

    key: str
    certificate: str

    @classmethod
    def new(cls) -> StorageAuthority:
        key = new_key()
        made = create(
            tls.SelfSignedCert(),
            privateKeyPem=key,
            subject={"commonName": "storage"},
            isCaCertificate=True,
            allowedUses=["cert_signing"],
            validityPeriodHours=VALIDITY,
        )
        return cls(key, made["certPem"])

    def issue(self, name: str) -> tuple[dict[str, str], dict[str, str]]:
        """Parameters and secrets of gluster/certificate.sh, for the machine with this host name."""
        key = new_key()
        request = create(tls.CertRequest(), privateKeyPem=key, subject={"commonName": name})
        made = create(
            tls.LocallySignedCert(),
            caPrivateKeyPem=self.key,
            caCertPem=self.certificate,
            certRequestPem=request["certRequestPem"],
            allowedUses=["digital_signature", "client_auth", "server_auth"],
            validityPeriodHours=VALIDITY,
        )
        return {"CERTIFICATE": made["certPem"], "AUTHORITY": self.certificate}, {"KEY": key}


def create(resource_type: ResourceType[Any], **inputs: object) -> Properties:
    """Outputs of a resource that a stand-in creates."""
    return resource_type.create(resource_type.Inputs.model_validate(inputs), "")[1]


def new_key() -> str:
    key: str = create(tls.PrivateKey(), algorithm="ED25519")["privateKeyPem"]
    return key


def brick(disk: str) -> dict[str, str]:
    return {"DISK": disk, "DISK_GB": "4", "BRICK_MOUNT": BRICK_MOUNT}


def rejoin(own: str) -> dict[str, str]:
    """`own`: the node's host name."""
    return {
        "HOST": own,
        "OTHERS": " ".join(peer for peer in PEERS if peer != own),
        "VOLUME": VOLUME["VOLUME"],
        "BRICK": BRICK,
        "CLIENTS": NETWORK,
        "DISK": "",
    }


def peers(*names: str) -> dict[str, str]:
    return {"PEERS": " ".join(names), "OTHERS": "2"}


def mount(own: str, path: str = ROOT) -> dict[str, str]:
    """`own`: the host name of the node that mounts."""
    return {
        "MOUNTPOINT": path,
        "OPTIONS": ",".join(MOUNT_OPTIONS),
        **volume_params("wp", fallback_order(PEERS, own)),
    }


def web(root: str = ROOT, behind_cache: str | None = None) -> dict[str, str]:
    """`behind_cache`: the node's own address, where Varnish is in front."""
    return {
        "MOUNT": root,
        "PORT": str(PORT_BEHIND_CACHE if behind_cache else PORT),
        "NGINX": nginx(
            root, balancers=NETWORK, trusted_proxies=[PROXIES], operators=[OPERATORS], behind_cache=behind_cache
        ),
        "SITE_POOL": text("web/site-pool.conf"),
        "UPDATES_POOL": text("web/updates-pool.conf"),
        "HEALTH_POOL": text("web/health-pool.conf"),
        "PHP_INI": text("web/php.ini"),
        "HEALTHZ": text("web/healthz.php"),
        "RESTART": RESTART.read_text(),
        "LOGROTATE": text("web/logrotate.conf"),
        "LOGROTATE_TIMER": text("web/logrotate-timer.conf"),
        "SYSUSERS": text("web/sysusers.conf"),
        "TMPFILES": text("web/tmpfiles.conf"),
        "RESERVED_MB": str(RESERVED_MB + Cache().memory_mb),
        "TRUSTED_CA": database_ca("us-east-1"),
    }


def vcl(own: str, addresses: Mapping[str, str]) -> dict[str, str]:
    """`own`: the node's name; `addresses`: all nodes' addresses by name."""
    neighbours = {name: address for name, address in addresses.items() if name != own}
    return {
        "SITE": text("varnish/site.vcl"),
        "NODES": cache.nodes_vcl(own, addresses[own], neighbours, NETWORK, [PROXIES], list(addresses.values())),
        "BANS": text("varnish/bans.vcl"),
    }


def varnish(memory_mb: int = 64) -> dict[str, str]:
    return {
        "UNIT": render(cache.HERE / "varnish.conf", MEMORY_MB=memory_mb, NGINX_PORT=PORT_BEHIND_CACHE),
        "LOG_UNIT": text("varnish/varnishncsa.conf"),
        "LOG_FORMAT": text("varnish/log.format"),
        "LOGROTATE": text("varnish/logrotate.conf"),
        "RESTART": RESTART.read_text(),
    }


def code(root: str = ROOT, *, moved: tuple[str, str] = ("", ""), archive: tuple[str, str] = ("", "")) -> dict[str, str]:
    """`moved`: a tar archive on the node to import, and its checksum; `archive`: a URL and its content's checksum."""
    return {
        "ROOT": root,
        "IMPORT": moved[0],
        "IMPORT_SHA256": moved[1],
        "ARCHIVE_URL": archive[0],
        "ARCHIVE_SHA256": archive[1],
        "HTACCESS": text("wordpress/htaccess.sh"),
        "ACCEPTED": "",
    }


def site(
    host: str,
    root: str = ROOT,
    *,
    name: str = database.NAME,
    moved: tuple[str, str] = ("", ""),
) -> dict[str, str]:
    """`host`, `name`: the database's; `moved`: an SQL dump on the node to import, and its checksum."""
    return {
        "ROOT": root,
        "URL": "http://www.example.com",
        "TITLE": TITLE,
        "ADMIN_USER": "admin",
        "ADMIN_EMAIL": "admin@example.com",
        "DB_HOST": f"{host}:3306",
        "DB_NAME": name,
        "DB_USER": SITE_USER,
        "DB_ADMIN": database.NAME,
        "IMPORT": moved[0],
        "IMPORT_SHA256": moved[1],
        "RESTORE": "",
        "WP_CONFIG": text("wordpress/wp-config.php"),
        "DB_ERROR": text("wordpress/db-error.php"),
        "PURGE": text("wordpress/purge.php"),
        "MAIL": text("wordpress/mail.php"),
        **smtp_params(None),
        "INSTALL": text("wordpress/install.php"),
    }


def site_secrets(password: str) -> dict[str, str]:
    """`password`: the database administrator's."""
    return {
        "DB_PASSWORD": SITE_PASSWORD,
        "DB_ADMIN_PASSWORD": password,
        "ADMIN_PASSWORD": ADMIN_PASSWORD,
        "SMTP_PASSWORD": SMTP_PASSWORD,
        **SALT_VALUES,
    }


def cron(root: str = ROOT) -> dict[str, str]:
    return {
        "SERVICE": render(COMPONENTS / "wordpress/wordpress-cron.service", ROOT=root),
        "TIMER": text("wordpress/wordpress-cron.timer"),
    }
