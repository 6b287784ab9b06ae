"""PHP's sessions on a mounted volume."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pulumi

from components.machine.remote import RemoteHost

LIFETIME = 1440
"""PHP's own default of session.gc_maxlifetime, in seconds."""

VOLUME_OPTIONS = {
    "performance.quick-read": "off",
    "performance.stat-prefetch": "off",
    "performance.write-behind": "off",
    "performance.io-cache": "off",
    "performance.read-ahead": "off",
}
"""Of the sessions' volume. PHP opens a session, waits for its lock, and reads: what a client has cached before it got
the lock, another server has written anew meanwhile. Of 100 requests of one session, 8 at a time on two servers, 41 to
71 lost their change with the first two on, and some could not decode what they read; without, and with `MOUNT_OPTIONS`,
none did. Without write-behind a visitor is answered when his session is on the bricks, not while it is on its way.
"""

MOUNT_OPTIONS = ("attribute-timeout=0", "entry-timeout=0", "direct-io-mode=enable")
"""Of its mounts, for the same reason: the kernel remembers a file's length for a second and, without stat-prefetch,
what was read from it for as long as the length stays (#4281).
"""

HERE = Path(__file__).parent


@dataclass(frozen=True)
class SessionsArgs:
    """`mount`: where the volume is mounted. `lifetime`: seconds that a session is kept without a request.

    `depends_on`: the mount, and PHP-FPM with its pool `www`.
    """

    host: RemoteHost
    depends_on: Sequence[pulumi.Resource]
    mount: str = "/media/sessions"
    lifetime: int = LIFETIME


class Sessions(pulumi.ComponentResource):
    """PHP-FPM keeps its sessions in a directory of the volume, so that any server goes on with any visitor (one step).

    Requests of one session wait for each other by flock(2), on whichever server; a server that dies while it writes
    leaves the session as it was (in-place.php). While the volume is away, PHP answers 503. Every server has the timer
    that removes old sessions, and one of them does it at a time.
    """

    def __init__(self, name: str, args: SessionsArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("ha-wordpress:sessions:Sessions", name, None, opts)
        self.step = args.host.run(
            "sessions",
            HERE / "sessions.sh",
            params=files(args.mount, args.lifetime),
            opts=pulumi.ResourceOptions(parent=self, depends_on=args.depends_on),
        )
        self.register_outputs({})


def files(mount: str, lifetime: int) -> dict[str, str]:
    """The step's parameters: paths, and the files that it writes."""
    directory = f"{mount}/php"

    def text(file: str) -> str:
        content = (HERE / file).read_text()
        return content.replace("@SESSIONS@", directory).replace("@MOUNT@", mount).replace("@LIFETIME@", str(lifetime))

    return {
        "MOUNT": mount,
        "SESSIONS": directory,
        "POOL": text("sessions-pool.conf"),
        "GUARD": text("guard.php"),
        "IN_PLACE": text("in-place.php"),
        "COLLECT": text("collect.sh"),
        "SERVICE": text("sessions-collect.service"),
        "TIMER": text("sessions-collect.timer"),
    }
