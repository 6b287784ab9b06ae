"""Apache on a server that exists already, serving from a volume."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pulumi

from components.gluster.mount import HERE as GLUSTER
from components.machine.remote import RemoteHost
from components.migrate.migrate import COPY, LIMIT

PORT = 80
"""That Apache is expected to answer on."""

HEALTH_PATH = "/healthz"
"""Answers 200 with a file of the volume."""

HERE = Path(__file__).parent


@dataclass(frozen=True)
class ApacheArgs:
    """`servers`: host names to fetch the volume's description from, the first one first.

    `first`: the volume gets this server's tree. `depends_on`: the volume and the servers' names; for every other
    server also the first one's step. `path`: the directory that moves, with the sites in it.
    """

    host: RemoteHost
    volume: str
    servers: Sequence[str]
    first: bool
    depends_on: Sequence[pulumi.Resource]
    path: str = "/var/www"


class Apache(pulumi.ComponentResource):
    """A running Apache whose files move to a volume, which is then mounted in their place (one step).

    The old tree stays as `<path>.orig`. `own`: what only this server had, or had otherwise, a file a line; it is kept
    there. Apache stops for seconds; where the move fails, it goes on with the old tree.
    """

    def __init__(self, name: str, args: ApacheArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("ha-wordpress:apache:Apache", name, None, opts)
        self.step = args.host.run(
            "apache",
            HERE / "apache.sh",
            params={
                "SOURCE": f"{args.servers[0]}:/{args.volume}",
                "BACKUPS": ":".join(args.servers[1:]),
                "SITE": args.path,
                "FIRST": "yes" if args.first else "",
                "CONF": (HERE / "apache.conf").read_text().replace("@SITE@", args.path),
                "COPY": COPY.read_text(),
                "MOUNT": (GLUSTER / "mount.sh").read_text(),
                "UNIT": (GLUSTER / "gluster-mount@.service").read_text(),
            },
            timeout=LIMIT,
            opts=pulumi.ResourceOptions(parent=self, depends_on=args.depends_on),
        )
        self.own = self.step.stdout
        self.register_outputs({"own": self.own})
