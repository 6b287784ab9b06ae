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
    """One node and its data disk."""

    host: RemoteHost
    """The node."""
    disk: Disk
    """The node's data disk."""
    path: str
    """The brick's directory on the node. The disk is mounted at its parent directory: without the disk the brick's
    directory is missing, so GlusterFS takes the brick offline and does not fill the root file system.
    """


class Brick(pulumi.ComponentResource):
    """An XFS file system for a volume's files (one step). glusterd makes the brick's directory on it.

    No directory means that the brick is new or was lost with its disk, so the step never makes one.
    The step formats a disk only when wipefs(8) finds no signature on it, and fails on a disk that holds anything but a
    brick. A disk that has grown gets a larger file system.
    """

    def __init__(self, name: str, args: BrickArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("ha-wordpress:gluster:Brick", name, None, opts)
        self.step = args.host.run(
            "brick",
            SCRIPT,
            params={
                "DISK": args.disk.path,
                # the script does not read the size; a new size runs the step again, which grows the file system
                "DISK_GB": str(args.disk.size_gb),
                "BRICK_MOUNT": str(PurePosixPath(args.path).parent),
            },
            timeout=180,
            opts=pulumi.ResourceOptions(parent=self, depends_on=args.disk.attached),
        )
        self.register_outputs({})
