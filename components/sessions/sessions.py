"""PHP's sessions on a mounted volume."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pulumi

from components.remote import RemoteHost

LIFETIME = 1440
"""PHP's own default of session.gc_maxlifetime, in seconds."""

HERE = Path(__file__).parent


@dataclass(frozen=True)
class SessionsArgs:
    """`mount`: where the volume is mounted. `lifetime`: seconds that a session is kept without a request.

    `needs`: the mount, and PHP-FPM with its pool `www`.
    """

    host: RemoteHost
    needs: Sequence[pulumi.Resource]
    mount: str = "/media/sessions"
    lifetime: int = LIFETIME


class Sessions(pulumi.ComponentResource):
    """PHP-FPM keeps its sessions in a directory of the volume, so that any server goes on with any visitor (one step).

    Requests of one session wait for each other by flock(2), on whichever server. While the volume is away, PHP answers
    503. Every server has the timer that removes old sessions, and one of them does it at a time.
    """

    def __init__(self, name: str, args: SessionsArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("ha-wordpress:sessions:Sessions", name, None, opts)

        def text(file: str) -> str:
            filled = (HERE / file).read_text().replace("@SESSIONS@", f"{args.mount}/php").replace("@MOUNT@", args.mount)
            return filled.replace("@LIFETIME@", str(args.lifetime))

        self.step = args.host.run(
            "sessions",
            HERE / "sessions.sh",
            params={
                "MOUNT": args.mount,
                "SESSIONS": f"{args.mount}/php",
                "POOL": text("sessions-pool.conf"),
                "GUARD": text("guard.php"),
                "COLLECT": text("collect.sh"),
                "SERVICE": text("sessions-collect.service"),
                "TIMER": text("sessions-collect.timer"),
            },
            opts=pulumi.ResourceOptions(parent=self, depends_on=args.needs),
        )
        self.register_outputs({})
