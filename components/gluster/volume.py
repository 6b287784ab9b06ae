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
    tls: Mapping[str, str]
    """Options that encrypt the volume (certificate.py). A volume that has started without them stays as it is."""
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
            lambda clients: lines(volume_options(gluster, args.owner, clients) | dict(args.options))
        )
        self.step = args.host.run(
            f"volume-{name}",
            SCRIPT,
            params={
                "VOLUME": name,
                "REPLICA": f"replica {gluster.replica}" + (f" arbiter {gluster.arbiter}" if gluster.arbiter else ""),
                "BRICKS": " ".join(args.bricks),
                "OPTIONS": options,
                "METADATA_CACHE": lines(metadata_cache(args.options)),
                "TLS": lines(args.tls),
            },
            timeout=180,
            opts=pulumi.ResourceOptions(parent=self, depends_on=args.depends_on),
        )
        self.register_outputs({})


def volume_options(gluster: settings.Gluster, owner: int, clients: str) -> dict[str, str]:
    """A volume's options by name. Options that the site relies on are set even where they equal the default.

    `owner`: numeric id of the user and the group of the root directory. `clients`: address range that may mount.

    The reasons are those for GlusterFS 11.1. Numbers with `#` are issues of gluster/glusterfs.

    `server.allow-insecure` keeps its default `on`. A privileged port would prove only that root of some machine
    connects: the packet filter and TLS prove more, and a client that runs out of such ports could not reconnect.
    """
    return {
        # With two copies and no arbiter, `auto` would make the first brick a single point of failure. With more bricks,
        # a write below the quorum fails instead of ending in split-brain.
        "cluster.quorum-type": "auto" if gluster.bricks > 2 else "none",
        # still 42 s by default: clients wait this long for a brick whose node lost power
        "network.ping-timeout": str(gluster.ping_timeout),
        # A brick drops a silent client after the same time as a client drops a silent brick. By default the locks of
        # a node that lost power, such as a visitor's session, block all other clients for 42 s (#1217).
        "server.tcp-user-timeout": str(gluster.ping_timeout),
        "server.keepalive-time": str(gluster.ping_timeout),
        "server.keepalive-interval": "1",
        # 2 by default; the groups `virt` and `db-workload` of 11.1 set 4 too
        "client.event-threads": "4",
        "server.event-threads": "4",
        # room for all files of a site; a brick forgets all but 16,384 by default, and reads their inodes again (#4176)
        "network.inode-lru-limit": "200000",
        # the default of a replicated volume
        "performance.client-io-threads": "off",
        # The default. It remembers names that do not exist, and reports files that another client created as missing
        # (#4161, #4390, both open). A mount's `negative-timeout` does the same for a limited time.
        "performance.nl-cache": "off",
        # the default; it lists a directory without some of its files (#830, #4092)
        "performance.parallel-readdir": "off",
        # the default: the content of small files, such as PHP's, comes with the lookup
        "performance.quick-read": "on",
        # the default: a node reads its own brick
        "cluster.choose-local": "on",
        # 1 by default; a node that returns has a heal of many small files
        "cluster.shd-max-threads": "4",
        # 1 by default: a brick then heals in one thread. Its idle threads spin while more of the heal waits, because
        # they sleep only while the whole queue is empty (xlators/performance/io-threads). As many as the brick has
        # threads, 16, leave none to spin. Requests of clients still go first.
        "performance.least-prio-threads": "16",
        # Entries left dirty by a crashed client wait for the next self-heal crawl, by default 600 s; a returning brick
        # does not trigger one. A crawl costs next to nothing while no heal is pending.
        "cluster.heal-timeout": "10",
        # A brick that lost power may lack a file that it had acknowledged, as XFS keeps new data in memory for up to
        # 30 s. No index names that file: only a heal that compares the whole directory restores it.
        "cluster.granular-entry-heal": "off",
        # the default; anything else can discard a write
        "cluster.favorite-child-policy": "none",
        "storage.owner-uid": str(owner),
        "storage.owner-gid": str(owner),
        "auth.allow": clients,
    }


METADATA_CACHE = {
    "features.cache-invalidation": "on",
    "features.cache-invalidation-timeout": "600",
    "performance.stat-prefetch": "on",
    "performance.cache-invalidation": "on",
    "performance.md-cache-timeout": "600",
}
"""The options of the group `metadata-cache` in GlusterFS 11.1, beside `network.inode-lru-limit`, which has the group's
value in `volume_options`.

A client keeps what it knows of a file until a brick reports that another client changed the file. Before 10.5 and 11.1
such a report crashed the brick (gluster/glusterfs #4255), so the step leaves these options out on such a version. Files
that do not exist are not remembered by these options: the mount's `negative-timeout` still decides when a new file is
visible.
"""


def metadata_cache(options: Mapping[str, str]) -> dict[str, str]:
    """`METADATA_CACHE` for a volume; nothing if its `options` turn off the cache of metadata on the client."""
    return {} if options.get("performance.stat-prefetch") == "off" else METADATA_CACHE


def lines(options: Mapping[str, str]) -> str:
    """Options as lines of a name and a value."""
    return "\n".join(f"{name} {value}" for name, value in options.items())
