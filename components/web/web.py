"""nginx and PHP-FPM on a node."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pulumi

from components.machine.remote import RESTART, RemoteHost
from components.machine.template import render

PORT = 80
"""TCP port of nginx on a node without Varnish."""

PORT_BEHIND_CACHE = 8080
"""TCP port of nginx on a node where Varnish has port 80."""

HEALTH_PATH = "/healthz"
"""Answers 200 while nginx, PHP and the site's files work. It does not query the database: without its database every
node would fail the check at once.
"""

USER_ID = 33
"""Numeric id of Debian's user and group www-data, the same on every machine (package base-passwd)."""

RESERVED_MB = 512
"""Memory in MB that PHP's workers leave to the system, to a brick and to the mount of the volume."""

HERE = Path(__file__).parent


@dataclass(frozen=True)
class WebArgs:
    """One node that serves the site."""

    host: RemoteHost
    """The node."""
    root: str
    """The document root."""
    mount: str
    """The GlusterFS mount point that /healthz watches."""
    balancers: pulumi.Input[str]
    """Address range in CIDR form of the proxies. nginx takes the visitor's address and scheme from their headers."""
    trusted_proxies: Sequence[str] = ()
    """Ranges in CIDR form of further proxies. nginx takes the visitor's address from their headers."""
    operators: Sequence[str] = ()
    """Address ranges in CIDR form whose requests are not limited, beside `balancers`. A range of all addresses is
    ignored.
    """
    trusted_ca: pulumi.Input[str] = ""
    """Further certificates, as PEM text, that PHP trusts, such as the database's."""
    behind_cache: pulumi.Input[str] | None = None
    """The node's private address when Varnish is in front: nginx then listens there and on 127.0.0.1, for the Varnish
    of this node and of its neighbours. None: nginx listens on every address.
    """
    cache_mb: int = 0
    """Memory in MB that PHP's workers leave to Varnish, beside `RESERVED_MB`."""


@dataclass(frozen=True)
class RequestLimit:
    """How many of one visitor's requests reach PHP on each node; nginx answers the others 429."""

    at_once: int
    """Requests that pass at once."""
    rate: int
    """Requests a second that pass after them."""


BEHIND_CACHE = RequestLimit(at_once=20, rate=1)
"""Behind a cache, PHP answers the dashboard and forms. A browser stays below: it sends about 25 requests, which the
balancer spreads over the nodes, in the seconds in which WordPress's editor opens, two for each file that it uploads,
and one every 15 s while it is idle.
"""
WITHOUT_CACHE = RequestLimit(at_once=100, rate=20)
"""Without a cache every page is PHP's, and an office may share one address."""


class Web(pulumi.ComponentResource):
    """nginx and PHP-FPM for files on a network file system (one step).

    The step waits neither for the mount nor for the database: /healthz answers 503 until the files are mounted.
    """

    def __init__(self, name: str, args: WebArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("ha-wordpress:web:Web", name, None, opts)
        self.step = args.host.run(
            "web",
            HERE / "web.sh",
            params={
                "MOUNT": args.mount,
                "PORT": str(PORT if args.behind_cache is None else PORT_BEHIND_CACHE),
                "NGINX": pulumi.Output.all(args.balancers, args.behind_cache).apply(
                    lambda addresses: nginx(
                        args.root,
                        balancers=addresses[0],
                        trusted_proxies=args.trusted_proxies,
                        operators=args.operators,
                        behind_cache=addresses[1],
                    )
                ),
                "SITE_POOL": (HERE / "site-pool.conf").read_text(),
                "UPDATES_POOL": (HERE / "updates-pool.conf").read_text(),
                "HEALTH_POOL": (HERE / "health-pool.conf").read_text(),
                "PHP_INI": (HERE / "php.ini").read_text(),
                "HEALTHZ": (HERE / "healthz.php").read_text(),
                "RESTART": RESTART.read_text(),
                "LOGROTATE": (HERE / "logrotate.conf").read_text(),
                "LOGROTATE_TIMER": (HERE / "logrotate-timer.conf").read_text(),
                "SYSUSERS": (HERE / "sysusers.conf").read_text(),
                "TMPFILES": (HERE / "tmpfiles.conf").read_text(),
                "RESERVED_MB": str(RESERVED_MB + args.cache_mb),
                "TRUSTED_CA": args.trusted_ca,
            },
            timeout=120,
            interrupts=True,
            opts=pulumi.ResourceOptions(parent=self),
        )
        self.register_outputs({})


def nginx(
    root: str, *, balancers: str, trusted_proxies: Sequence[str], operators: Sequence[str], behind_cache: str | None
) -> str:
    """nginx's configuration; the arguments are the fields of `WebArgs`."""
    if behind_cache is None:
        listening = [str(PORT)]
    else:
        listening = [f"{address}:{PORT_BEHIND_CACHE}" for address in ("127.0.0.1", behind_cache)]
    limit = WITHOUT_CACHE if behind_cache is None else BEHIND_CACHE
    return render(
        HERE / "nginx.conf",
        LISTEN="\n    ".join(f"listen {address} default_server;" for address in listening),
        ROOT=root,
        BALANCERS=balancers,
        TRUSTED_PROXIES="\n".join(f"    set_real_ip_from {proxy};" for proxy in trusted_proxies),
        AT_ONCE=limit.at_once,
        RATE=limit.rate,
        OPERATORS="\n".join(f"    {operator} 0;" for operator in operators if operator not in (balancers, "0.0.0.0/0")),
    )
