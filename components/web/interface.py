"""The interface between the site and its web stacks: WordPress, PHP with sessions, and Apache.

Each stack is the module `stack.py` of its package.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import pulumi

from components.cloud.interface import Cloud, Ports
from components.config.roles import NodeRoles
from components.gluster.mount import Mount, MountArgs, fallback_order
from components.machine.etc_hosts import host_name


@dataclass(frozen=True)
class WebContext:
    """The nodes and the volume that a web stack uses."""

    roles: NodeRoles
    """Names of the web nodes, the brick nodes and the balancers."""
    cloud: Cloud
    """The machines, the database and the private network."""
    volume: str
    """The volume's name."""
    mountable: Mapping[str, Sequence[pulumi.Resource]]
    """By the node's name: the resources that a mount of the volume on that node waits for."""
    url: pulumi.Output[str]
    """The site's address as visitors type it."""
    https: bool
    """Whether visitors use HTTPS, to which HTTP redirects."""

    def servers(self, node: str) -> list[str]:
        """Host names of the bricks, in the order in which a node asks them for the volume's description."""
        return fallback_order([host_name(brick) for brick in self.roles.bricks], host_name(node))

    def mount(self, node: str, path: str, options: Sequence[str]) -> Mount:
        """The volume mounted on a node.

        `node`: its name. `path`: the mount point. `options`: further mount options (mount.glusterfs(8)).
        """
        host = self.cloud.nodes[node].host
        return Mount(node, MountArgs(host, self.volume, self.servers(node), path, options, self.mountable[node]))


@dataclass(frozen=True)
class Served:
    """A web stack's result."""

    outputs: Mapping[str, pulumi.Input[str]]
    """The Pulumi stack's outputs, by name."""
    written: Sequence[pulumi.Resource]
    """The resources that write the site's files to the volume."""


class WebStack(Protocol):
    """The software on the web nodes, and its requirements."""

    user_data: Sequence[str]
    """Parts of cloud-init/ for the web nodes."""
    balancer_user_data: Sequence[str]
    """Parts of cloud-init/ for the site's own balancers. When there are any, the balancers mount the volume too."""
    port: int
    """TCP port on which web nodes answer visitors and the balancer."""
    health_path: str
    """Path of the balancer's health check: a node that answers 200 gets visitors."""
    access_log: str
    """Path of a web node's log of visitors' requests, if its health check answers 503 while it is drained; or empty."""
    owner: int
    """Numeric id of the user and the group that own the volume's root directory."""
    volume_options: Mapping[str, str]
    """Options of the volume by name; they override those of every volume."""
    database: bool
    """Whether the stack needs a database server."""
    peers: Sequence[Ports]
    """TCP ports that the firewall opens between the nodes only."""

    def serve(self, context: WebContext) -> Served:
        """Make the stack's resources on every web node."""
