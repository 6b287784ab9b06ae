"""GlusterFS's daemon on a node."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pulumi

from components.config.settings import PortRange
from components.machine.remote import RemoteHost

SCRIPT = Path(__file__).with_suffix(".sh")


@dataclass(frozen=True)
class GlusterdArgs:
    """`brick_ports`: the range that the bricks of this node take theirs from, as it stands in the firewall."""

    host: RemoteHost
    brick_ports: PortRange


class Glusterd(pulumi.ComponentResource):
    """glusterd, running and enabled, with a narrowed range of brick ports (one step)."""

    def __init__(self, name: str, args: GlusterdArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("ha-wordpress:gluster:Glusterd", name, None, opts)
        self.step = args.host.run(
            "glusterd",
            SCRIPT,
            params={"BASE_PORT": str(args.brick_ports.first), "MAX_PORT": str(args.brick_ports.last)},
            timeout=120,
            opts=pulumi.ResourceOptions(parent=self),
        )
        self.register_outputs({})
