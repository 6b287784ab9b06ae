"""A brick: a node's part of a volume, on its data disk."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pulumi

from components.remote import RemoteHost

MOUNT = "/glusterfs/bricks/brick1"
"""Where the data disk is mounted."""

PATH = f"{MOUNT}/gv"
"""The brick itself: below the mount, so that a node without its disk has no brick instead of filling its root."""

SCRIPT = Path(__file__).with_suffix(".sh")


@dataclass(frozen=True)
class BrickArgs:
    """`disk`: path of the data disk on the node. `disk_gb`: its size in GB. `disk_attached`: what puts it there."""

    host: RemoteHost
    disk: pulumi.Input[str]
    disk_gb: int
    disk_attached: pulumi.Resource


class Brick(pulumi.ComponentResource):
    """A directory on XFS for a volume's files (one step); a disk that holds anything else is refused."""

    def __init__(self, name: str, args: BrickArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("ha-wordpress:gluster:Brick", name, None, opts)
        self.step = args.host.run(
            "brick",
            SCRIPT,
            # the size is read by nobody: a disk that has grown makes the step run again
            params={"DISK": args.disk, "DISK_GB": str(args.disk_gb), "BRICK_MOUNT": MOUNT, "BRICK": PATH},
            timeout=180,
            opts=pulumi.ResourceOptions(parent=self, depends_on=[args.disk_attached]),
        )
        self.register_outputs({})
