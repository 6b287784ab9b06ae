"""A volume mounted on a machine."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from zlib import crc32

import pulumi

from components.machine.remote import RemoteHost

HERE = Path(__file__).parent


@dataclass(frozen=True)
class MountArgs:
    """`servers`: host names to fetch the volume's description from, the first one first; files come from every brick.

    `path`: where it is mounted. `options`: further ones of the mount (mount.glusterfs(8)). `depends_on`: the volume
    and the servers' names on this machine.
    """

    host: RemoteHost
    volume: str
    servers: Sequence[str]
    path: str
    depends_on: Sequence[pulumi.Resource]
    options: Sequence[str] = ()


class Mount(pulumi.ComponentResource):
    """A client mount that systemd keeps: it comes back after a reboot and after a crash of the client (one step)."""

    def __init__(self, name: str, args: MountArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("ha-wordpress:gluster:Mount", name, None, opts)
        self.step = args.host.run(
            "mount",
            HERE / "mount.sh",
            params={
                "SOURCE": f"{args.servers[0]}:/{args.volume}",
                "BACKUPS": ":".join(args.servers[1:]),
                "MOUNTPOINT": args.path,
                "OPTIONS": ",".join(args.options),
                "UNIT": (HERE / "gluster-mount@.service").read_text(),
            },
            timeout=120,
            opts=pulumi.ResourceOptions(parent=self, depends_on=args.depends_on),
        )
        self.register_outputs({})


def ring(hosts: Sequence[str], own: str) -> list[str]:
    """The servers of one machine's mount, so that not all lean on the same.

    For one of them the next one, then the others, itself last, as it is there if nobody is. For any other machine they
    start where its name says, which no other machine's coming or going changes.
    """
    place = hosts.index(own) + 1 if own in hosts else crc32(own.encode()) % len(hosts)
    return [*hosts[place:], *hosts[:place]]
