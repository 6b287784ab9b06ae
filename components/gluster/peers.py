"""The trusted pool: all nodes as peers of each other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pulumi

from components.machine.remote import RemoteHost

SCRIPT = Path(__file__).with_suffix(".sh")


@dataclass(frozen=True)
class PeersArgs:
    """The nodes of the pool."""

    hosts: Mapping[str, RemoteHost]
    """The nodes by host name, at least two. The first one probes the others."""
    depends_on: Sequence[pulumi.Resource]
    """glusterd and /etc/hosts on every node."""


class Peers(pulumi.ComponentResource):
    """One trusted pool of all nodes, in which every peer has a host name (two steps)."""

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
        # A probed node records the probing node by its address; a probe in the other direction records its name
        # (GlusterFS documentation, "Managing Trusted Storage Pools").
        self.step = args.hosts[second].run(
            "peers",
            SCRIPT,
            params={"PEERS": first, "OTHERS": others},
            timeout=120,
            opts=pulumi.ResourceOptions(parent=self, depends_on=[probed]),
        )
        self.register_outputs({})
