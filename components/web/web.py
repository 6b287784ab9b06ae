"""nginx and PHP-FPM on a node."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pulumi

from components.machine.remote import RemoteHost

PORT = 80
"""That nginx listens on, where nothing is in front of it on the same machine."""

PORT_BEHIND_CACHE = 8080
"""That nginx listens on where Varnish has the other one."""

HEALTH_PATH = "/healthz"
"""Answers 200 while nginx, PHP and the site's files work, and asks no database: one database is no node's fault."""

USER_ID = 33
"""Debian's www-data, user and group: the same on every machine (base-passwd)."""

HERE = Path(__file__).parent


@dataclass(frozen=True)
class WebArgs:
    """`root`: the document root. `mount`: the GlusterFS mount that /healthz watches. `balancers`: address range that
    visitors' true addresses and schemes are believed from. `trusted_ca`: PEM certificates that PHP trusts beside the
    system's. `behind_cache`: the node's private address, where Varnish is in front: nginx is there for it and for the
    neighbours' Varnish, and for nobody else.
    """

    host: RemoteHost
    root: str
    mount: str
    balancers: pulumi.Input[str]
    trusted_ca: pulumi.Input[str] = ""
    behind_cache: pulumi.Input[str] | None = None


class Web(pulumi.ComponentResource):
    """nginx and PHP-FPM for files that are on a network (one step).

    It waits for no mount and no database: both services run alone, and /healthz tells what is missing.
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
                    lambda known: nginx(args.root, balancers=known[0], behind_cache=known[1])
                ),
                "SITE_POOL": (HERE / "site-pool.conf").read_text(),
                "HEALTH_POOL": (HERE / "health-pool.conf").read_text(),
                "PHP_INI": (HERE / "php.ini").read_text(),
                "HEALTHZ": (HERE / "healthz.php").read_text(),
                "TRUSTED_CA": args.trusted_ca,
            },
            timeout=120,
            opts=pulumi.ResourceOptions(parent=self),
        )
        self.register_outputs({})


def nginx(root: str, *, balancers: str, behind_cache: str | None) -> str:
    """The text of nginx's configuration."""
    if behind_cache is None:
        listening = [str(PORT)]
    else:
        listening = [f"{address}:{PORT_BEHIND_CACHE}" for address in ("127.0.0.1", behind_cache)]
    return (
        (HERE / "nginx.conf")
        .read_text()
        .replace("@LISTEN@", "\n    ".join(f"listen {address} default_server;" for address in listening))
        .replace("@ROOT@", root)
        .replace("@BALANCERS@", balancers)
    )
