"""The trusted pool: nodes that know each other as peers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pulumi

from components.machine.remote import RemoteHost

SCRIPT = Path(__file__).with_suffix(".sh")


@dataclass(frozen=True)
class PeersArgs:
    """`hosts`: by host name, the first one probes. `depends_on`: glusterd and the names, on every node."""

    hosts: Mapping[str, RemoteHost]
    depends_on: Sequence[pulumi.Resource]


class Peers(pulumi.ComponentResource):
    """All nodes in one pool, each known by its name (two steps)."""

    def __init__(self, name: str, args: PeersArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("ha-wordpress:gluster:Peers", name, None, opts)
        first, second, *rest = args.hosts
        others = str(len(rest) + 1)
        probed = args.hosts[first].run(
            "peers",
            SCRIPT,
            params={"PEERS": " ".join([second, *rest]), "OTHERS": others},
            timeout=120,
            opts=pulumi.ResourceOptions(parent=self, depends_on=args.depends_on),
        )
        # The probed know the one who probed by its address only, until one of them probes back by name.
        self.step = args.hosts[second].run(
            "peers",
            SCRIPT,
            params={"PEERS": first, "OTHERS": others},
            timeout=120,
            opts=pulumi.ResourceOptions(parent=self, depends_on=[probed]),
        )
        self.register_outputs({})
