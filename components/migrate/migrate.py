"""Migration of a machine's directory onto a volume."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pulumi

from components.formerly import formerly
from components.machine.remote import RemoteHost

HERE = Path(__file__).parent

COPY = HERE / "copy.sh"
"""Script that copies a directory and compares the copy; other steps run it inside their own."""

TIMEOUT = 7200
"""Seconds until a migration is stopped; the next run continues it."""


@dataclass(frozen=True)
class DirectoryMigrationArgs:
    """One directory and its target."""

    host: RemoteHost
    """The machine that has the directory and mounts the volume."""
    source: str
    """The directory's path."""
    target: str
    """The directory on the mounted volume that gets its content."""
    aside: bool
    """Whether to rename the old directory to `<source>.orig-<date>` afterwards; otherwise it keeps its name."""
    depends_on: Sequence[pulumi.Resource]
    """The mount."""


class DirectoryMigration(pulumi.ComponentResource):
    """A directory's content copied to a volume once; every file is compared by checksum (one step).

    The copy keeps owners, modes, times, hard and symbolic links, holes and extended attributes (rsync(1)).

    The step fails when a file has an access control list or a capability, which a volume does not store (it stores
    lists when mounted with the option `acl`), when the target holds other files, and when source and target still
    differ after three passes.
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
            timeout=TIMEOUT,
            opts=pulumi.ResourceOptions(parent=self, depends_on=args.depends_on),
        )
        self.register_outputs({})
