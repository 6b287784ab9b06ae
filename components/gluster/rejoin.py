"""The return of a lost node to the pool and to the volume."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pulumi

from components.machine.remote import RemoteHost

SCRIPT = Path(__file__).with_suffix(".sh")


@dataclass(frozen=True)
class RejoinArgs:
    """One node."""

    host: RemoteHost
    """The node."""
    host_name: str
    """The node's host name."""
    others: Sequence[str]
    """Host names of the other nodes of the pool."""
    volume: str
    """The volume's name."""
    brick: str
    """The directory of the node's brick."""
    clients: pulumi.Input[str]
    """Address range that may mount the volume."""
    disk: pulumi.Input[str]
    """The data disk's device name; empty for a brick on the root disk."""
    depends_on: Sequence[pulumi.Resource]
    """glusterd, /etc/hosts and the brick's file system on this node, and on no other: see `Rejoin`."""


class Rejoin(pulumi.ComponentResource):
    """A node's old place in the pool, on a new machine or a new disk (one step).

    glusterd's identity, a UUID, is on the root disk. The other nodes know it by the node's host name, and refuse a new
    one under that name. So the step asks them for it, and for the rest of the pool. A brick whose disk survived serves
    at once and lacks only what was written meanwhile; an empty disk gets a new brick, which the others heal.

    The step waits for no step of another node: nodes that are replaced one after another would wait for each other.
    """

    def __init__(self, name: str, args: RejoinArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("ha-wordpress:gluster:Rejoin", name, None, opts)
        self.step = args.host.run(
            "rejoin",
            SCRIPT,
            params={
                "HOST": args.host_name,
                "OTHERS": " ".join(args.others),
                "VOLUME": args.volume,
                "BRICK": args.brick,
                "CLIENTS": args.clients,
                # the script does not read it; on another disk the step runs again
                "DISK": args.disk,
            },
            timeout=420,
            opts=pulumi.ResourceOptions(parent=self, depends_on=args.depends_on),
        )
        self.register_outputs({})
