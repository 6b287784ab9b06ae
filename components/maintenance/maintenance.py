"""Upgrades and reboots of the nodes by a timer."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pulumi

from components.machine.remote import PRELUDE, RemoteHost
from components.machine.template import render
from components.roll.nodes import CHECK, DRAIN, Duties
from components.roll.turns import GATE_LIMIT, NOTICED, RETURN_LIMIT

HERE = Path(__file__).parent

LOCK_LIMIT = 6 * 3600
"""Seconds that a node waits for its turn."""


@dataclass(frozen=True)
class MaintenanceArgs:
    """One node."""

    host: RemoteHost
    """The node."""
    duties: Duties
    """Its part in the site."""
    others: Sequence[pulumi.Input[str]]
    """Addresses of the other web nodes' health checks, if this is a web node."""
    volume: str
    """The volume's name."""
    servers: Sequence[str]
    """Host names of bricks, in the order in which the node asks them for the volume's description."""
    at: str
    """The times, as systemd.time(7) writes them."""
    depends_on: Sequence[pulumi.Resource]
    """Resources to wait for: the site is installed."""


class Maintenance(pulumi.ComponentResource):
    """A timer that upgrades a node and reboots it (one step). It does nothing on a node that waits for neither.

    All nodes start together, and one of them at a time has the site's lock, from before it leaves the balancer until it
    is whole again after its reboot. So a node that does not come back keeps the lock, and the others stay as they are:
    their units and its own fail.

    The lock is an extended attribute of the volume's root directory. XATTR_CREATE lets one node make it (setxattr(2)),
    and it stays when that node reboots. Its namespace `trusted` is root's (xattr(7)): PHP, which owns that directory,
    can neither see, take nor free the lock. PHP could replace a file of the volume that nodes lock.

    A node that has the lock waits until the others are whole: of the nodes with bricks, the peers, all bricks and their
    heals; of the web nodes, the health checks. It asks again when the balancers have noticed that it is drained, and
    `pulumi up` takes a node under maintenance for one that is not whole. So of the two, the one that drains its node
    second sees the other's.

    Security updates no longer install themselves on all nodes at the same time: the step disables that timer.
    """

    def __init__(self, name: str, args: MaintenanceArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("ha-wordpress:maintenance:Maintenance", name, None, opts)
        params = pulumi.Output.all(*args.others).apply(
            lambda others: maintenance_params(name, args.duties, others, args.volume, args.servers, args.at)
        )
        self.step = args.host.run(
            "maintenance",
            HERE / "maintenance.sh",
            params={key: params[key] for key in ("PROGRAM", "CHECK", "DRAIN", "LOCK", "SERVICE", "RETURN", "TIMER")},
            timeout=120,
            opts=pulumi.ResourceOptions(parent=self, depends_on=args.depends_on),
        )
        self.register_outputs({})


def maintenance_params(
    node: str,
    duties: Duties,
    others: Sequence[str],
    volume: str,
    servers: Sequence[str],
    at: str,
    *,
    gate_limit: float = GATE_LIMIT,
    return_limit: float = RETURN_LIMIT,
    lock_limit: float = LOCK_LIMIT,
) -> dict[str, str]:
    """Parameters of maintenance.sh.

    `node`: the node's name. `duties`, `others`, `volume`, `servers`, `at`: the fields of `MaintenanceArgs`.
    `gate_limit`, `return_limit`: seconds, as in roll/turns.py. `lock_limit`: as `LOCK_LIMIT`.
    """
    return {
        "PROGRAM": PRELUDE.read_text()
        + render(
            HERE / "site-maintenance.sh",
            NODE=node,
            VOLUME=volume,
            SERVERS=" ".join(servers),
            OWN_URLS=shlex.quote("\n".join(duties.urls)),
            OTHER_URLS=shlex.quote("\n".join(others)),
            BRICK_VOLUME=duties.volume,
            ACCESS_LOG=duties.access_log,
            NOTICED=NOTICED,
            GATE_LIMIT=round(gate_limit),
            RETURN_LIMIT=round(return_limit),
            LOCK_LIMIT=round(lock_limit),
        ),
        "CHECK": PRELUDE.read_text() + CHECK.read_text(),
        "DRAIN": PRELUDE.read_text() + DRAIN.read_text(),
        "LOCK": (HERE / "lock.py").read_text(),
        "SERVICE": (HERE / "site-maintenance.service").read_text(),
        "RETURN": (HERE / "site-maintenance-return.service").read_text(),
        "TIMER": render(HERE / "site-maintenance.timer", AT=at),
    }
