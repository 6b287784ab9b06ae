"""Node roles: which nodes hold files, which serve pages, which are load balancers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeGuard

Role = Literal["storage", "web", "balancer"]
Topology = Literal["converged", "separate", "balancers"]

ROLES: dict[Topology, tuple[Role | None, ...]] = {
    "converged": (None, "balancer"),
    "separate": ("storage", "web", "balancer"),
    "balancers": ("balancer", "web"),
}
"""Roles that each topology allows. None stands for a node without a role, which both holds and serves the files."""

NODES: dict[Topology, dict[str, Role | None]] = {
    "converged": {"gfs1": None, "gfs2": None, "gfs3": None},
    "separate": {"gfs1": "storage", "gfs2": "storage", "gfs3": "storage", "app1": "web", "app2": "web"},
    "balancers": {"lb1": "balancer", "lb2": "balancer", "php1": "web", "php2": "web"},
}
"""Default nodes of each topology: roles by node name."""

COPIES: dict[Topology, dict[str, int]] = {
    "converged": {"replica": 3, "arbiter": 0},
    "separate": {"replica": 2, "arbiter": 1},
    "balancers": {"replica": 2, "arbiter": 1},
}
"""Default number of full copies and of arbiters of the volume, by topology."""


@dataclass(frozen=True)
class NodeRoles:
    """Node names by task; one node may have several tasks."""

    bricks: Sequence[str]
    """Nodes that hold the volume, in the order of its bricks; an arbiter comes last."""
    web: Sequence[str]
    """Nodes that mount the volume and serve pages from it."""
    balancers: Sequence[str]
    """Nodes that run the site's own load balancer; empty if the site uses the cloud's load balancer or none."""


def is_topology(name: str | None) -> TypeGuard[Topology]:
    """Whether a raw setting names a topology."""
    return name in ROLES


def is_role(role: object, topology: Topology) -> TypeGuard[Role | None]:
    """Whether a raw setting is a role of this topology; None stands for a node without a role."""
    return role in ROLES[topology]


def node_roles(topology: Topology, roles: Mapping[str, Role | None], arbiter: int) -> NodeRoles:
    """Assign the nodes to their tasks.

    `roles`: each node's role by the node's name. `arbiter`: the number of arbiters, 0 or 1.

    `converged`: nodes without a role hold the files and serve them. `separate`: storage nodes hold the files, web
    nodes serve them. `balancers`: the balancers hold the files, and the first web node is the arbiter. In every
    topology visitors connect to the balancers if there are any.
    """
    by_role: dict[Role | None, list[str]] = {None: [], "storage": [], "web": [], "balancer": []}
    for name in sorted(roles):
        by_role[roles[name]].append(name)
    web, balancers = by_role["web"], by_role["balancer"]
    if topology == "converged":
        return NodeRoles(bricks=by_role[None], web=by_role[None], balancers=balancers)
    if topology == "separate":
        return NodeRoles(bricks=by_role["storage"], web=web, balancers=balancers)
    return NodeRoles(bricks=[*balancers, *web[:arbiter]], web=web, balancers=balancers)
