"""Which node does what."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

Role = Literal["storage", "web", "balancer"]
Topology = Literal["converged", "separate", "balancers"]

ROLES: dict[Topology, tuple[Role | None, ...]] = {
    "converged": (None, "balancer"),
    "separate": ("storage", "web", "balancer"),
    "balancers": ("balancer", "web"),
}
"""What a node's `role` may be. Without one, a node both holds the files and serves them."""

NODES: dict[Topology, dict[str, Role | None]] = {
    "converged": {"gfs1": None, "gfs2": None, "gfs3": None},
    "separate": {"gfs1": "storage", "gfs2": "storage", "gfs3": "storage", "app1": "web", "app2": "web"},
    "balancers": {"lb1": "balancer", "lb2": "balancer", "php1": "web", "php2": "web"},
}
"""The nodes, where the settings name none."""

COPIES: dict[Topology, dict[str, int]] = {
    "converged": {"replica": 3, "arbiter": 0},
    "separate": {"replica": 2, "arbiter": 1},
    "balancers": {"replica": 2, "arbiter": 1},
}
"""How the volume is made, where the settings do not say."""


@dataclass(frozen=True)
class NodeRoles:
    """The nodes by what they do; a node may do several things."""

    bricks: Sequence[str]
    """Those that hold the volume, in the order of its bricks: an arbiter is the last."""
    web: Sequence[str]
    """Those that serve pages, from files on the volume that they mount."""
    balancers: Sequence[str]
    """Those that visitors connect to; none where the cloud's load balancer, or nothing, is in front."""


def node_roles(topology: Topology, roles: Mapping[str, Role | None], arbiter: int) -> NodeRoles:
    """Who does what, by the nodes' names and roles.

    `converged`: the nodes without a role hold the files and serve them. `separate`: storage nodes hold them, web nodes
    serve. `balancers`: the balancers hold them, and the first web node is the arbiter. Wherever there are balancers,
    visitors come to them.
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
