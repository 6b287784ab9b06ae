"""GlusterFS's management daemon on a node."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pulumi

from components.config.settings import PortRange
from components.machine.remote import RemoteHost

SCRIPT = Path(__file__).with_suffix(".sh")


@dataclass(frozen=True)
class GlusterdArgs:
    """One node."""

    host: RemoteHost
    """The node."""
    brick_ports: PortRange
    """TCP ports for the node's bricks; the firewall opens the same range."""
    depends_on: Sequence[pulumi.Resource]
    """The rules that close glusterd's port to strangers, and the node's certificate."""


class Glusterd(pulumi.ComponentResource):
    """glusterd, running and enabled at boot, with a fixed range of brick ports (one step).

    Since GlusterFS 10.0 a brick listens on a random port (gluster/glusterfs #786). The range makes the firewall's rule
    small. The step refuses to change the range while bricks run on the node, because a restart of glusterd stops them.
    Without a session of geo-replication, its program is put away, which slows glusterd down.
    """

    def __init__(self, name: str, args: GlusterdArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("ha-wordpress:gluster:Glusterd", name, None, opts)
        self.step = args.host.run(
            "glusterd",
            SCRIPT,
            params={"BASE_PORT": str(args.brick_ports.first), "MAX_PORT": str(args.brick_ports.last)},
            timeout=120,
            opts=pulumi.ResourceOptions(parent=self, depends_on=args.depends_on),
        )
        self.register_outputs({})
