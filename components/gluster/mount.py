"""A volume mounted on a machine."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from zlib import crc32

import pulumi

from components.machine.remote import RemoteHost

SCRIPT = Path(__file__).with_suffix(".sh")
UNIT = Path(__file__).with_name("gluster-mount@.service")


@dataclass(frozen=True)
class MountArgs:
    """One machine and one volume."""

    host: RemoteHost
    """The machine."""
    volume: str
    """The volume's name."""
    servers: Sequence[str]
    """Host names of bricks in the order in which the client asks them for the volume's description (volfile). Files
    come from every brick.
    """
    path: str
    """The mount point."""
    options: Sequence[str]
    """Further mount options (mount.glusterfs(8))."""
    depends_on: Sequence[pulumi.Resource]
    """The volume, and /etc/hosts on this machine."""


class Mount(pulumi.ComponentResource):
    """A client mount that systemd restores after a reboot and after a crash of the client (one step).

    The step fails when the volume does not answer at the mount point within 30 s.
    """

    def __init__(self, name: str, args: MountArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("ha-wordpress:gluster:Mount", name, None, opts)
        self.step = args.host.run(
            "mount",
            SCRIPT,
            params={
                "MOUNTPOINT": args.path,
                "OPTIONS": ",".join(args.options),
                **volume_params(args.volume, args.servers),
            },
            timeout=120,
            opts=pulumi.ResourceOptions(parent=self, depends_on=args.depends_on),
        )
        self.register_outputs({})


def volume_params(volume: str, servers: Sequence[str]) -> dict[str, str]:
    """The parameters of mount.sh that do not depend on the mount point.

    `volume`: its name. `servers`: host names of bricks, in the order of `fallback_order`.
    """
    return {
        "SOURCE": f"{servers[0]}:/{volume}",
        "BACKUPS": ":".join(servers[1:]),
        "UNIT": UNIT.read_text(),
    }


def fallback_order(hosts: Sequence[str], machine: str) -> list[str]:
    """The order in which a machine tries hosts, which spreads the machines over the hosts.

    `hosts`: host names in the same order for all machines. `machine`: the machine's own host name.

    A brick host tries the next host first and itself last; any other machine starts at a position hashed from its name,
    so adding or removing a machine changes no other machine's order.
    """
    start = hosts.index(machine) + 1 if machine in hosts else crc32(machine.encode()) % len(hosts)
    return [*hosts[start:], *hosts[:start]]
