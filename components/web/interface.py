"""What every web stack stands on, and what it says of itself; each one has a `stack.py` in its own package."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import pulumi

from components.cloud.interface import Cloud, Ports
from components.config.roles import NodeRoles
from components.gluster.mount import ring
from components.machine.etc_hosts import host_name


@dataclass(frozen=True)
class WebContext:
    """Nodes, and a volume that can be mounted on them.

    `mountable`: what a mount waits for, by the node's name. `url`: what visitors type.
    """

    roles: NodeRoles
    cloud: Cloud
    volume: str
    mountable: Mapping[str, Sequence[pulumi.Resource]]
    url: pulumi.Output[str]

    def servers(self, node: str) -> list[str]:
        """The host names that a node fetches the volume's description from, the first one first."""
        return ring([host_name(brick) for brick in self.roles.bricks], host_name(node))


class WebStack(Protocol):
    """What the web nodes run."""

    user_data: Sequence[str]
    """Parts of cloud-init/ that they are made of."""
    balancer_user_data: Sequence[str]
    """Parts of it for the site's own balancers, which then mount the volume too."""
    port: int
    """That they answer visitors on, behind a balancer."""
    health_path: str
    """200 there means that a node may have visitors."""
    owner: int
    """Numeric id of the user and the group that own the volume's root."""
    volume_options: Mapping[str, str]
    """Of the volume, by name, beside and instead of ours."""
    database: bool
    """It needs a database server."""
    peers: Sequence[Ports]
    """Open from node to node only."""

    def serve(self, context: WebContext) -> Mapping[str, pulumi.Input[str]]:
        """Make it, on every web node; returns what the operator is told."""
