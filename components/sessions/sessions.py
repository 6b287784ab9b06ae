"""PHP sessions on a mounted volume."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pulumi

from components.machine.remote import RemoteHost
from components.machine.template import render

LIFETIME = 1440
"""Seconds that a session is kept without a request: PHP's default of session.gc_maxlifetime."""

VOLUME_OPTIONS = {
    "performance.quick-read": "off",
    "performance.stat-prefetch": "off",
    "performance.write-behind": "off",
    "performance.io-cache": "off",
    "performance.read-ahead": "off",
}
"""Options of the sessions' volume: no client-side cache.

PHP opens a session's file, waits for its lock, and reads it. Data that the client cached before it had the lock may be
outdated, because another server may have written the file meanwhile. Measured with 100 requests of one session, 8 at a
time on two servers: 41 to 71 lost their change with the first two options on, and some could not decode the session.
With all of these options off and with `MOUNT_OPTIONS`, none did. Without write-behind, PHP answers only when the
session is on the bricks.
"""

MOUNT_OPTIONS = ("attribute-timeout=0", "entry-timeout=0", "direct-io-mode=enable")
"""Options of the volume's mounts, for the same reason. By default the kernel caches a file's length for 1 s and,
without stat-prefetch, its content until the length changes (gluster/glusterfs #4281).
"""

HERE = Path(__file__).parent


@dataclass(frozen=True)
class SessionsArgs:
    """One server."""

    host: RemoteHost
    """The server."""
    mount: str
    """The volume's mount point."""
    https: bool
    """Whether visitors use HTTPS only."""
    depends_on: Sequence[pulumi.Resource]
    """The mount, and PHP-FPM with its pool `www`."""


class Sessions(pulumi.ComponentResource):
    """PHP-FPM with its sessions in a directory of the volume, so any server can continue any session (one step).

    Requests of one session wait for each other by flock(2), also across servers. A server that crashes while it writes
    leaves the session unchanged, and a power loss of all nodes leaves it as it was before the change or after it
    (in-place.php). While the volume is unreachable, PHP answers 503 (guard.php). Every server has a timer that removes
    old sessions; a lock on the volume lets one server at a time do so.
    """

    def __init__(self, name: str, args: SessionsArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("ha-wordpress:sessions:Sessions", name, None, opts)
        self.step = args.host.run(
            "sessions",
            HERE / "sessions.sh",
            params=params(args.mount, https=args.https),
            interrupts=True,
            opts=pulumi.ResourceOptions(parent=self, depends_on=args.depends_on),
        )
        self.register_outputs({})


def params(mount: str, *, https: bool) -> dict[str, str]:
    """Parameters of sessions.sh: two paths, and the files that it writes. The arguments: see `SessionsArgs`."""
    directory = f"{mount}/php"
    return {
        "MOUNT": mount,
        "SESSIONS": directory,
        "POOL": render(
            HERE / "sessions-pool.conf", SESSIONS=directory, LIFETIME=LIFETIME, SECURE="on" if https else "off"
        ),
        "GUARD": render(HERE / "guard.php", SESSIONS=directory),
        "IN_PLACE": (HERE / "in-place.php").read_text(),
        "COLLECT": render(HERE / "collect.sh", SESSIONS=directory, LIFETIME=LIFETIME),
        "SERVICE": render(HERE / "sessions-collect.service", MOUNT=mount),
        "TIMER": (HERE / "sessions-collect.timer").read_text(),
    }
