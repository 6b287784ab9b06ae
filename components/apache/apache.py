"""Apache on an existing server, with its files migrated to a volume."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pulumi

from components.gluster.mount import SCRIPT as MOUNT
from components.gluster.mount import volume_params
from components.machine.remote import RemoteHost
from components.machine.template import render
from components.migrate.migrate import COPY, TIMEOUT

PORT = 80
"""TCP port on which the server's Apache must answer."""

HEALTH_PATH = "/healthz"
"""Answers 200 with a file of the volume, so a server without the volume fails the check."""

SITE = "/var/www"
"""Directory with the sites that Apache serves."""

HERE = Path(__file__).parent


@dataclass(frozen=True)
class ApacheArgs:
    """One server that runs Apache."""

    host: RemoteHost
    """The server."""
    volume: str
    """The volume's name."""
    servers: Sequence[str]
    """Host names of bricks in the order in which the client asks them for the volume's description (volfile)."""
    balancers: Sequence[pulumi.Input[str]]
    """Private addresses of the site's own balancers, which forward the visitors' requests."""
    first: bool
    """Whether the volume gets its files from this server; the files of every other server are only compared."""
    depends_on: Sequence[pulumi.Resource]
    """The volume and /etc/hosts on this server; for every server but the first, also the first one's step."""


class Apache(pulumi.ComponentResource):
    """A running Apache whose directory `SITE` migrates to a volume, which is then mounted in its place (one step).

    The old directory stays as `SITE`.orig. Apache stops for a few seconds; when the migration fails, Apache continues
    with the old directory. A machine that replaces a server serves the volume, whatever its own directory holds.

    `own_files`: an output with one line for each file of `SITE`.orig that the volume lacks or holds with other content,
    at most 100 lines.
    """

    def __init__(self, name: str, args: ApacheArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("ha-wordpress:apache:Apache", name, None, opts)
        self.step = args.host.run(
            "apache",
            HERE / "apache.sh",
            params={
                "SITE": SITE,
                "FIRST": "yes" if args.first else "",
                "NODE": args.host.name,
                "CONF": pulumi.Output.all(*args.balancers).apply(conf),
                "COPY": COPY.read_text(),
                "MOUNT": MOUNT.read_text(),
                **volume_params(args.volume, args.servers),
            },
            timeout=TIMEOUT,
            interrupts=True,
            opts=pulumi.ResourceOptions(parent=self, depends_on=args.depends_on),
        )
        self.own_files = self.step.stdout
        self.register_outputs({"own": self.own_files})


def conf(balancers: Sequence[str]) -> str:
    """Apache's settings. `balancers`: a field of `ApacheArgs`."""
    condition = "%{HTTP:X-Forwarded-Proto} == 'https' && %{CONN_REMOTE_ADDR} -ipmatch"
    return render(
        HERE / "apache.conf",
        SITE=SITE,
        HTTPS="\n".join(f"SetEnvIfExpr \"{condition} '{balancer}'\" HTTPS=on" for balancer in balancers),
    )
