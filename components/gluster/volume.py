"""A replicated volume over the nodes' bricks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pulumi

from components.config import settings
from components.machine.remote import RemoteHost

SCRIPT = Path(__file__).with_suffix(".sh")


@dataclass(frozen=True)
class VolumeArgs:
    """One volume; its name is the component's name."""

    host: RemoteHost
    """The node that runs the gluster commands."""
    bricks: Sequence[str]
    """Host name and path of every brick, such as `node-gfs1:/path`, the arbiter last."""
    gluster: settings.Gluster
    """Number of copies, and the ping timeout."""
    owner: int
    """Numeric id of the user and the group that own the volume's root directory."""
    clients: pulumi.Input[str]
    """Address range in CIDR form that may mount the volume."""
    options: Mapping[str, str]
    """Further volume options by name; they override `volume_options`."""
    depends_on: Sequence[pulumi.Resource]
    """Peers and bricks."""


class Volume(pulumi.ComponentResource):
    """A started volume with every brick online (one step).

    The step adds a brick that is new in the settings. It fails when the settings no longer name a brick of the volume,
    as that brick may hold the only good copy of a file, and when a brick has belonged to another volume.
    """

    def __init__(self, name: str, args: VolumeArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("ha-wordpress:gluster:Volume", name, None, opts)
        gluster = args.gluster
        options = pulumi.Output.from_input(args.clients).apply(
            lambda clients: "\n".join(
                f"{key} {value}"
                for key, value in (volume_options(gluster, args.owner, clients) | dict(args.options)).items()
            )
        )
        self.step = args.host.run(
            f"volume-{name}",
            SCRIPT,
            params={
                "VOLUME": name,
                "REPLICA": f"replica {gluster.replica}" + (f" arbiter {gluster.arbiter}" if gluster.arbiter else ""),
                "BRICKS": " ".join(args.bricks),
                "OPTIONS": options,
            },
            timeout=180,
            opts=pulumi.ResourceOptions(parent=self, depends_on=args.depends_on),
        )
        self.register_outputs({})


def volume_options(gluster: settings.Gluster, owner: int, clients: str) -> dict[str, str]:
    """A volume's options by name. Options that the site relies on are set even where they equal the default.

    `owner`: numeric id of the user and the group of the root directory. `clients`: address range that may mount.

    `group metadata-cache` is left out and `performance.nl-cache` is off because of GlusterFS 10.3: the first crashes a
    brick (gluster/glusterfs #4255), the second reports existing files as missing (#4161, #4390).
    """
    return {
        # with two copies and no arbiter, `auto` would make the first brick a single point of failure
        "cluster.quorum-type": "auto" if gluster.bricks > 2 else "none",
        "network.ping-timeout": str(gluster.ping_timeout),
        # A brick drops a silent client after the same time as a client drops a silent brick. By default the locks of
        # a node that lost power, such as a visitor's session, block all other clients for 42 s (#1217).
        "server.tcp-user-timeout": str(gluster.ping_timeout),
        "server.keepalive-time": str(gluster.ping_timeout),
        "server.keepalive-interval": "1",
        "client.event-threads": "4",
        "server.event-threads": "4",
        "network.inode-lru-limit": "200000",  # #4176
        "performance.client-io-threads": "off",
        "performance.nl-cache": "off",
        "performance.parallel-readdir": "off",  # #830, #4092
        "performance.quick-read": "on",
        "cluster.choose-local": "on",
        "cluster.shd-max-threads": "4",
        # Entries left dirty by a crashed client wait for the next self-heal crawl; a returning brick does not trigger
        # one. A crawl costs next to nothing while no heal is pending.
        "cluster.heal-timeout": "10",
        # A brick that lost power may lack a file that it had acknowledged, as XFS keeps new data in memory for up to
        # 30 s. No index names that file: only a heal that compares the whole directory restores it.
        "cluster.granular-entry-heal": "off",
        "cluster.favorite-child-policy": "none",  # anything else can discard a write
        "storage.owner-uid": str(owner),
        "storage.owner-gid": str(owner),
        "auth.allow": clients,
    }
