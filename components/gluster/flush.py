"""The end of an `up`: what the steps wrote is on the disks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pulumi

from components.machine.remote import RemoteHost

SCRIPT = Path(__file__).with_suffix(".sh")


@dataclass(frozen=True)
class FlushArgs:
    """One brick."""

    host: RemoteHost
    """The brick's node."""
    path: str
    """The brick's directory on the node."""
    depends_on: Sequence[pulumi.Resource]
    """Whatever writes to the volume."""


class Flush(pulumi.ComponentResource):
    """A brick whose disk holds everything that was written before (one step).

    XFS keeps new files in memory for up to 30 s (dirty_expire_centisecs, Linux's Documentation/admin-guide/sysctl/vm).
    If all nodes lost power within that time, every copy of a new site's files would be empty. Syncing the file system
    once per brick takes a fraction of the time that fsync(2) of each file takes.
    """

    def __init__(self, name: str, args: FlushArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("ha-wordpress:gluster:Flush", name, None, opts)
        args.host.run(
            "flush",
            SCRIPT,
            params={"BRICK": args.path},
            timeout=300,
            opts=pulumi.ResourceOptions(parent=self, depends_on=args.depends_on),
        )
        self.register_outputs({})
