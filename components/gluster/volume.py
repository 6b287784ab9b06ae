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
    """`host`: the node that gives the commands. `bricks`: host and path of each, `node-gfs1:/path`, an arbiter last.

    `owner`: numeric id of the user and the group that own the volume's root. `clients`: address range that may
    mount it. `options`: by name, what those who write there need beside and instead of ours. `depends_on`: peers and
    bricks.
    """

    host: RemoteHost
    bricks: Sequence[str]
    gluster: settings.Gluster
    owner: int
    clients: pulumi.Input[str]
    options: Mapping[str, str]
    depends_on: Sequence[pulumi.Resource]


class Volume(pulumi.ComponentResource):
    """A volume that is started and has every brick online (one step); never created over a brick that was used."""

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
    """A volume's options by name, those that matter even where they are the default.

    Not among them, for GlusterFS 10.3's sake: `group metadata-cache` (#4255, a brick crashes) and
    `performance.nl-cache` (#4161, #4390: a file that exists is reported missing).
    """
    return {
        # with two copies and no arbiter, `auto` would make the first brick a single point of failure
        "cluster.quorum-type": "auto" if gluster.bricks > 2 else "none",
        "network.ping-timeout": str(gluster.ping_timeout),
        # a brick gives a silent client up as fast as a client a silent brick: the locks of a node that lost power,
        # a visitor's session among them, hold everybody else up for 42 s by default (#1217)
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
        # what a client that died left unfinished waits for the next look, and no brick's return brings that forward;
        # a look costs next to nothing where nothing is pending
        "cluster.heal-timeout": "10",
        # a brick that lost power may lack a file that it had acknowledged (XFS keeps what is new in memory for up to
        # 30 s), and nobody has noted its name: only a comparison of the whole directory brings it back
        "cluster.granular-entry-heal": "off",
        "cluster.favorite-child-policy": "none",  # anything else can discard a write
        "storage.owner-uid": str(owner),
        "storage.owner-gid": str(owner),
        "auth.allow": clients,
        "nfs.disable": "on",
    }
