"""The whole site on one page: what is made, and what waits for what."""

from __future__ import annotations

from collections.abc import Sequence

import pulumi

from components.cloud.interface import Cloud, MachineSpec, Ports, SiteSpec
from components.config.settings import GLUSTERD_PORT, PortRange, Settings
from components.factory import cloud_of, web_stack_of
from components.gluster.brick import Brick, BrickArgs
from components.gluster.glusterd import Glusterd, GlusterdArgs
from components.gluster.peers import Peers, PeersArgs
from components.gluster.volume import Volume, VolumeArgs
from components.haproxy.haproxy import Haproxy, HaproxyArgs
from components.keepalived.keepalived import Keepalived, KeepalivedArgs
from components.machine.etc_hosts import EtcHosts, EtcHostsArgs, host_name
from components.web.interface import WebContext, WebStack


def build(settings: Settings) -> None:
    """A site on several nodes, its files on a volume that outlives any one of them."""
    roles = settings.node_roles
    web = web_stack_of(settings)
    cloud = cloud_of(settings, site_spec(settings, web))
    nodes = cloud.nodes

    addresses = {host_name(name): nodes[name].private_address for name in roles.bricks}
    etc_hosts = {name: EtcHosts(name, EtcHostsArgs(node.host, addresses)) for name, node in nodes.items()}
    daemons = {name: Glusterd(name, GlusterdArgs(nodes[name].host, settings.gluster.ports)) for name in roles.bricks}
    paths = {name: settings.nodes[name].brick or settings.gluster.brick for name in roles.bricks}
    bricks = {
        name: Brick(name, BrickArgs(nodes[name].host, disk, paths[name]))
        for name in roles.bricks
        if (disk := nodes[name].disk)
    }
    pool = Peers(
        "peers",
        PeersArgs(
            hosts={host_name(name): nodes[name].host for name in roles.bricks},
            depends_on=[daemon.step for daemon in daemons.values()] + [etc_hosts[name].step for name in roles.bricks],
        ),
    )
    volume = Volume(
        settings.gluster.volume,
        VolumeArgs(
            host=nodes[roles.bricks[0]].host,
            bricks=[f"{host_name(name)}:{path}" for name, path in paths.items()],
            gluster=settings.gluster,
            owner=web.owner,
            clients=cloud.cidr,
            options=web.volume_options,
            depends_on=[pool.step, *(brick.step for brick in bricks.values())],
        ),
    )
    for name in roles.balancers:
        others = [other for other in roles.balancers if other != name]
        haproxy = Haproxy(
            name,
            HaproxyArgs(
                host=nodes[name].host,
                targets={target: nodes[target].private_address for target in roles.web},
                web_port=web.port,
                health_path=web.health_path,
                balancers={other: nodes[other].private_address for other in others},
            ),
        )
        virtual_ip = cloud.virtual_ip
        assert virtual_ip
        Keepalived(
            name,
            KeepalivedArgs(
                host=nodes[name].host,
                node=name,
                address=virtual_ip.peers[name],
                peers=[virtual_ip.peers[other] for other in others],
                virtual_ip=virtual_ip,
                depends_on=[haproxy.step, *virtual_ip.depends_on],
            ),
        )
    url = address_of(settings, cloud)
    outputs = web.serve(
        WebContext(
            roles=roles,
            cloud=cloud,
            volume=settings.gluster.volume,
            mountable={name: [volume.step, host.step] for name, host in etc_hosts.items()},
            url=url,
        )
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
    for name, value in outputs.items():
        pulumi.export(name, value)
    if cloud.ssh_private_key is not None:
        pulumi.export("ssh_private_key", cloud.ssh_private_key)


def site_spec(settings: Settings, web: WebStack) -> SiteSpec:
    """What the machines run, in a cloud's words."""
    roles = settings.node_roles
    machines = {}
    for name in settings.nodes:
        own: list[str] = []
        if name in roles.balancers:
            own += ["balancer", *web.balancer_user_data]
        if name in roles.web:
            own += web.user_data
        client = name in roles.web or (name in roles.balancers and web.balancer_user_data)
        user_data = ["base", *(["gluster"] if name in roles.bricks else ["gluster-client"] if client else []), *own]
        machines[name] = MachineSpec(
            user_data=user_data,
            disk_gb=settings.gluster.disk_gb if name in roles.bricks else None,
            balanced=name in roles.web and not roles.balancers,
            virtual_ip=name in roles.balancers,
        )
    peers = [Ports("glusterd", PortRange(GLUSTERD_PORT, GLUSTERD_PORT)), Ports("bricks", settings.gluster.ports)]
    neighbours: Sequence[Ports] = []
    if roles.balancers:
        peers += web.peers
        web_ports = PortRange(web.port, web.port)
        if web_ports not in [ports.range for ports in peers]:
            peers.append(Ports("web", web_ports))
    else:
        neighbours = web.peers
    return SiteSpec(machines, peers, neighbours, web.port, web.health_path, web.database)


def address_of(settings: Settings, cloud: Cloud) -> pulumi.Output[str]:
    """What visitors type: the site's own name, or whatever is in front of the nodes, or the first of them."""
    front: pulumi.Input[str] = cloud.nodes[settings.node_roles.web[0]].public_address
    if cloud.balancer:
        front = cloud.balancer.address
    elif cloud.virtual_ip:
        front = cloud.virtual_ip.address
    scheme = "https" if cloud.balancer and cloud.balancer.https else "http"
    return pulumi.Output.format("{0}://{1}", scheme, (settings.site and settings.site.domain) or front)
