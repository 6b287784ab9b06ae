"""The whole site on one page: what is made, and what waits for what."""

from __future__ import annotations

from collections.abc import Callable

import pulumi

from components.cloud import Cloud, Ports, Service
from components.cloud.aws import Aws
from components.gluster.brick import Brick, BrickArgs
from components.gluster.glusterd import Glusterd, GlusterdArgs
from components.gluster.mount import Mount, MountArgs, ring
from components.gluster.peers import Peers, PeersArgs
from components.gluster.volume import Volume, VolumeArgs
from components.hosts import Hosts, HostsArgs, host_name
from components.settings import GLUSTERD_PORT, PortRange, Settings
from components.web.web import HEALTH_PATH, USER_ID, Web, WebArgs
from components.web.web import PORT as WEB_PORT
from components.wordpress.wordpress import WordPress, WordPressArgs

CLOUDS: dict[str, Callable[[Settings, Service], Cloud]] = {"aws": Aws}

DOCUMENT_ROOT = "/var/www/html"


def build(settings: Settings) -> None:
    """WordPress on nodes in several zones, its files on a volume that they all hold and mount."""
    service = Service(
        peers=[Ports("glusterd", PortRange(GLUSTERD_PORT, GLUSTERD_PORT)), Ports("bricks", settings.gluster.ports)],
        web_port=WEB_PORT,
        health_path=HEALTH_PATH,
        disk_gb=settings.gluster.disk_gb,
        user_data=["base", "gluster", "web", "wordpress"],
    )
    cloud = CLOUDS[settings.cloud](settings, service)
    nodes = cloud.nodes
    peers = [host_name(node) for node in nodes]
    first = next(iter(nodes))

    addresses = {host_name(name): node.private_address for name, node in nodes.items()}
    hosts = {name: Hosts(name, HostsArgs(node.host, addresses)) for name, node in nodes.items()}
    daemons = {name: Glusterd(name, GlusterdArgs(node.host, settings.gluster.ports)) for name, node in nodes.items()}
    bricks = {
        name: Brick(name, BrickArgs(node.host, node.disk, settings.gluster.disk_gb, node.disk_attached))
        for name, node in nodes.items()
    }
    pool = Peers(
        "peers",
        PeersArgs(
            hosts={host_name(name): node.host for name, node in nodes.items()},
            needs=[daemon.step for daemon in daemons.values()] + [named.step for named in hosts.values()],
        ),
    )
    volume = Volume(
        settings.gluster.volume,
        VolumeArgs(
            host=nodes[first].host,
            peers=peers,
            gluster=settings.gluster,
            owner=USER_ID,
            clients=cloud.network,
            needs=[pool.step, *(brick.step for brick in bricks.values())],
        ),
    )
    mounts = {
        name: Mount(
            name,
            MountArgs(
                host=node.host,
                volume=settings.gluster.volume,
                servers=ring(peers, host_name(name)),
                path=DOCUMENT_ROOT,
                needs=[volume.step, hosts[name].step],
            ),
        )
        for name, node in nodes.items()
    }
    webs = {
        name: Web(name, WebArgs(node.host, DOCUMENT_ROOT, cloud.network, cloud.database_ca))
        for name, node in nodes.items()
    }
    url = pulumi.Output.format(
        "{0}://{1}", "https" if cloud.balancer.https else "http", settings.site.domain or cloud.balancer.address
    )
    wordpress = WordPress(
        "wordpress",
        WordPressArgs(
            host=nodes[first].host,
            site=settings.site,
            root=DOCUMENT_ROOT,
            url=url,
            database=cloud.database,
            mounted=mounts[first].step,
            php=[webs[first].step],
        ),
    )

    pulumi.export("url", url)
    pulumi.export(
        "nodes",
        {
            name: {
                "private": node.private_address,
                "public": node.public_address,
                "ssh": pulumi.Output.format("ssh {0}@{1}", node.host.user, node.public_address),
            }
            for name, node in nodes.items()
        },
    )
    pulumi.export("admin_user", settings.site.admin_user)
    pulumi.export("admin_password", wordpress.admin_password)
    pulumi.export("ssh_private_key", cloud.login_key)
