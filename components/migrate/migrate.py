"""A tree of files on a machine, moved onto a volume."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pulumi

from components.formerly import formerly
from components.machine.remote import RemoteHost

HERE = Path(__file__).parent

COPY = HERE / "copy.sh"
"""Copies a tree and compares it; other steps run it within their own."""

LIMIT = 7200
"""Seconds until a move is stopped; the next run goes on from there."""


@dataclass(frozen=True)
class DirectoryMigrationArgs:
    """`source`: the directory on the machine. `target`: the one on a mounted volume that gets its content.

    `aside`: the old tree is renamed to `<source>.orig-<date>` afterwards; else it stays as it is. `depends_on`: the
    mount.
    """

    host: RemoteHost
    source: str
    target: str
    aside: bool
    depends_on: Sequence[pulumi.Resource]


class DirectoryMigration(pulumi.ComponentResource):
    """A directory's content on a volume, every file compared by checksum before the step has succeeded (one step).

    Owners, modes, times, hard and symbolic links, holes and extended attributes are kept (rsync(1)). A file with an
    access control list or a capability is refused, as a volume takes neither (with the mount's option `acl`, lists);
    so is a target with files of somebody else.
    """

    def __init__(self, name: str, args: DirectoryMigrationArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(
            "ha-wordpress:migrate:DirectoryMigration", name, None, formerly("ha-wordpress:move:Move", opts)
        )
        self.step = args.host.run(
            f"move-{name}",
            HERE / "migrate.sh",
            params={
                "SOURCE": args.source,
                "TARGET": args.target,
                "ASIDE": "yes" if args.aside else "",
                "COPY": COPY.read_text(),
            },
            timeout=LIMIT,
            opts=pulumi.ResourceOptions(parent=self, depends_on=args.depends_on),
        )
        self.register_outputs({})
