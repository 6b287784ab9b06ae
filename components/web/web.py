"""nginx and PHP-FPM on a node."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pulumi

from components.remote import RemoteHost

PORT = 80
"""That nginx listens on."""

HEALTH_PATH = "/healthz"
"""Answers 200 while nginx, PHP and the site's files work, and asks no database: one database is no node's fault."""

USER_ID = 33
"""Debian's www-data, user and group: the same on every machine (base-passwd)."""

HERE = Path(__file__).parent


@dataclass(frozen=True)
class WebArgs:
    """`root`: the document root. `mount`: the GlusterFS mount that /healthz watches. `balancers`: address range that
    visitors' true addresses and schemes are believed from. `trusted_ca`: PEM certificates that PHP trusts beside the
    system's.
    """

    host: RemoteHost
    root: str
    mount: str
    balancers: pulumi.Input[str]
    trusted_ca: pulumi.Input[str] = ""


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
                "NGINX": pulumi.Output.from_input(args.balancers).apply(
                    lambda range_: (
                        (HERE / "nginx.conf").read_text().replace("@ROOT@", args.root).replace("@BALANCERS@", range_)
                    )
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
