"""A brick: a node's part of a volume, on its data disk."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import pulumi

from components.cloud.interface import Disk
from components.machine.remote import RemoteHost

SCRIPT = Path(__file__).with_suffix(".sh")


@dataclass(frozen=True)
class BrickArgs:
    """`path`: of the brick itself. The disk is mounted one above it: a node without its disk then has no brick, instead
    of one that fills its root.
    """

    host: RemoteHost
    disk: Disk
    path: str


class Brick(pulumi.ComponentResource):
    """A directory on XFS for a volume's files (one step); a disk that holds anything else is refused."""

    def __init__(self, name: str, args: BrickArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("ha-wordpress:gluster:Brick", name, None, opts)
        self.step = args.host.run(
            "brick",
            SCRIPT,
            # the size is read by nobody: a disk that has grown makes the step run again
            params={
                "DISK": args.disk.path,
                "DISK_GB": str(args.disk.size_gb),
                "BRICK_MOUNT": str(PurePosixPath(args.path).parent),
                "BRICK": args.path,
            },
            timeout=180,
            opts=pulumi.ResourceOptions(parent=self, depends_on=args.disk.attached),
        )
        self.register_outputs({})
