"""The whole site on one page: its resources and their dependencies."""

from __future__ import annotations

from collections.abc import Sequence

import pulumi

from components.cloud.interface import Cloud, MachineSpec, Ports, SiteSpec
from components.config.settings import GLUSTERD_PORT, PortRange, Settings
from components.factory import create_cloud, create_web_stack, monthly_price
from components.firewall.firewall import Firewall, FirewallArgs
from components.gluster.brick import Brick, BrickArgs
from components.gluster.certificate import TLS, Authority, Certificate, CertificateArgs
from components.gluster.flush import Flush, FlushArgs
from components.gluster.glusterd import Glusterd, GlusterdArgs
from components.gluster.mount import fallback_order
from components.gluster.peers import Peers, PeersArgs
from components.gluster.rejoin import Rejoin, RejoinArgs
from components.gluster.volume import Volume, VolumeArgs
from components.haproxy.acme import AcmeAccount, AcmeCertificate
from components.haproxy.haproxy import OWN_PORT, Haproxy, HaproxyArgs
from components.keepalived.keepalived import Keepalived, KeepalivedArgs
from components.machine.etc_hosts import EtcHosts, EtcHostsArgs, host_name
from components.maintenance.maintenance import Maintenance, MaintenanceArgs
from components.roll.lacking import warn_after
from components.roll.nodes import Duties, Nodes
from components.roll.turns import Turns
from components.watch.watch import PORT as FIGURES_PORT
from components.watch.watch import Alarms, Watch, WatchArgs
from components.web.interface import WebContext, WebStack


def build(settings: Settings) -> None:
    """Create a site on several nodes, with its files on a volume that survives the loss of any one node.

    Stack outputs: `url`, the site's address; `balancer_address`, the name or address of the load balancer or the
    virtual IP; `dns_records`, the DNS records to make by hand, if any; `nodes`, the addresses and the SSH command of
    each node; the web stack's own outputs; `ssh_private_key`, if the cloud generated it.
    """
    roles = settings.node_roles
    web = create_web_stack(settings)
    spec = site_spec(settings, web)
    if pulumi.runtime.is_dry_run() and (price := monthly_price(settings, spec)):
        pulumi.log.info(price.text)
    asked = Nodes(duties(settings, web))
    cloud = create_cloud(settings, spec, Turns(asked, protect_data=settings.protect_data))
    nodes = cloud.nodes
    for node in nodes.values():
        asked.reach(node.host)

    addresses = {host_name(name): nodes[name].private_address for name in roles.bricks}
    etc_hosts = {name: EtcHosts(name, EtcHostsArgs(node.host, addresses)) for name, node in nodes.items()}
    # behind a cloud's load balancer, that one admits visitors
    visited = roles.balancers or ([] if cloud.balancer else roles.web)
    firewalls = {
        name: Firewall(
            name,
            FirewallArgs(
                host=node.host,
                internal=spec.internal_ports(name),
                network=cloud.cidr,
                visitors_from=settings.network.visitors_from if name in visited else [],
                virtual_ip=cloud.virtual_ip if name in roles.balancers else None,
                balancers={other: nodes[other].private_address for other in roles.balancers if other != name},
            ),
        )
        for name, node in nodes.items()
    }
    guards: dict[str, list[pulumi.Resource]] = {name: [firewall.step] for name, firewall in firewalls.items()}
    if settings.gluster.tls:
        authority = Authority("storage")
        for name, node in nodes.items():
            guards[name].append(Certificate(name, CertificateArgs(node.host, authority, host_name(name))).step)
    daemons = {
        name: Glusterd(name, GlusterdArgs(nodes[name].host, settings.gluster.ports, guards[name]))
        for name in roles.bricks
    }
    brick_paths = {name: settings.nodes[name].brick or settings.gluster.brick for name in roles.bricks}
    bricks = {
        name: Brick(name, BrickArgs(nodes[name].host, disk, brick_paths[name]))
        for name in roles.bricks
        if (disk := nodes[name].disk)
    }
    members = [
        Rejoin(
            name,
            RejoinArgs(
                host=nodes[name].host,
                host_name=host_name(name),
                others=[host_name(other) for other in roles.bricks if other != name],
                volume=settings.gluster.volume,
                brick=brick_paths[name],
                clients=cloud.cidr,
                disk=disk.path if (disk := nodes[name].disk) else "",
                # a glusterd rejects a peer whose address it does not know
                depends_on=[
                    daemons[name].step,
                    *(etc_hosts[other].step for other in roles.bricks),
                    *([bricks[name].step] if name in bricks else []),
                ],
            ),
        )
        for name in roles.bricks
    ]
    pool = Peers(
        "peers",
        PeersArgs(
            hosts={host_name(name): nodes[name].host for name in roles.bricks},
            depends_on=[member.step for member in members],
        ),
    )
    volume = Volume(
        settings.gluster.volume,
        VolumeArgs(
            host=nodes[roles.bricks[0]].host,
            bricks=[f"{host_name(name)}:{path}" for name, path in brick_paths.items()],
            gluster=settings.gluster,
            owner=web.owner,
            clients=cloud.cidr,
            options=web.volume_options,
            tls=TLS if settings.gluster.tls else {},
            depends_on=[pool.step],
        ),
    )
    certificate: pulumi.Output[str] | AcmeCertificate | None = None
    if settings.tls and settings.tls.acme:
        assert settings.domain
        certificate = AcmeCertificate(
            settings.domain, front_address(settings, cloud), settings.tls.acme, AcmeAccount("acme")
        )
    elif settings.tls and roles.balancers:
        certificate = pulumi.Output.secret(
            f"{settings.tls.certificate}\n{settings.tls_private_key.get_secret_value()}\n"
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
                certificate=certificate,
                trusted_proxies=[str(each) for each in settings.network.trusted_proxies],
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
    domain, front = settings.domain, front_address(settings, cloud)
    https = certificate is not None or (cloud.balancer is not None and cloud.balancer.https)
    url = pulumi.Output.format("{0}://{1}", "https" if https else "http", domain or front)
    served = web.serve(
        WebContext(
            roles=roles,
            cloud=cloud,
            volume=settings.gluster.volume,
            mountable={name: [volume.step, etc_hosts[name].step, *guards[name]] for name in nodes},
            url=url,
            https=https,
        )
    )

    for name, path in brick_paths.items():
        Flush(name, FlushArgs(nodes[name].host, path, depends_on=[volume.step, *served.written]))

    if settings.alarms and settings.smtp:
        alarms = Alarms(pulumi.get_stack(), settings.sender, settings.alarms.mail, settings.smtp)
        for name, node in nodes.items():
            Watch(
                name,
                WatchArgs(
                    host=node.host,
                    host_name=host_name(name),
                    address=node.private_address,
                    duties=asked.duties[name],
                    brick=brick_paths.get(name, ""),
                    alarms=alarms,
                    password=settings.smtp_password.get_secret_value(),
                    depends_on=[volume.step, *served.written],
                ),
            )

    if settings.maintenance:
        health = {
            name: pulumi.Output.format("http://{0}:{1}{2}", nodes[name].private_address, web.port, web.health_path)
            for name in roles.web
        }
        for name, node in nodes.items():
            Maintenance(
                name,
                MaintenanceArgs(
                    host=node.host,
                    duties=asked.duties[name],
                    others=[url for other, url in health.items() if name in health and other != name],
                    volume=settings.gluster.volume,
                    servers=fallback_order([host_name(brick) for brick in roles.bricks], host_name(name)),
                    at=settings.maintenance.at,
                    depends_on=[volume.step, *served.written],
                ),
            )

    # a preview connects to no node
    if not pulumi.runtime.is_dry_run():
        warn_after(asked, [step for node in nodes.values() for step in node.host.steps])

    pulumi.export("url", url)
    if cloud.balancer or cloud.virtual_ip:
        pulumi.export("balancer_address", front)
    visited_by = cloud.balancer or cloud.virtual_ip
    record = visited_by.record if visited_by else "A"
    if domain and record:
        pulumi.export("dns_records", [{"type": record, "name": domain, "value": front}])
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
    for name, value in served.outputs.items():
        pulumi.export(name, value)
    if cloud.ssh_private_key is not None:
        pulumi.export("ssh_private_key", cloud.ssh_private_key)


def duties(settings: Settings, web: WebStack) -> dict[str, Duties]:
    """What each node does for the site, by its name."""
    roles, nodes = settings.node_roles, {}
    for name in settings.nodes:
        urls = []
        if name in roles.web:
            urls.append(f"http://127.0.0.1:{web.port}{web.health_path}")
        if name in roles.balancers:
            urls.append(f"http://127.0.0.1:{OWN_PORT}/health")
        nodes[name] = Duties(
            urls=tuple(urls),
            volume=settings.gluster.volume if name in roles.bricks else "",
            access_log=web.access_log if name in roles.web else "",
        )
    return nodes


def site_spec(settings: Settings, web: WebStack) -> SiteSpec:
    """Requirements of the site, in the form that a cloud takes."""
    roles = settings.node_roles
    own_bucket = settings.backup is not None and settings.backup.bucket is None
    machines = {}
    for name in settings.nodes:
        services: list[str] = []
        if name in roles.balancers:
            services += ["balancer", *web.balancer_user_data]
            if settings.tls and settings.tls.acme:
                services.append("acme")
        if name in roles.web:
            services += web.user_data
        mounts = name in roles.web or (name in roles.balancers and web.balancer_user_data)
        storage = ["gluster-client"] if mounts or name in roles.bricks else []
        if name in roles.bricks:
            storage.append("gluster")
        if settings.alarms:
            services.append("watch")
        machines[name] = MachineSpec(
            user_data=["base", *storage, *services],
            disk_gb=settings.gluster.disk_gb if name in roles.bricks else None,
            balanced=name in roles.web and not roles.balancers,
            virtual_ip=name in roles.balancers,
            bucket=own_bucket and name in roles.web,
        )
    peers = [
        Ports("glusterd", PortRange(GLUSTERD_PORT, GLUSTERD_PORT), root_only=True),
        Ports("bricks", settings.gluster.ports, root_only=True),
    ]
    if settings.alarms:
        peers.append(Ports("figures", PortRange(FIGURES_PORT, FIGURES_PORT)))
    balanced_peers: Sequence[Ports] = []
    web_ports = PortRange(web.port, web.port)
    closed = web_ports not in [ports.range for ports in web.peers]
    if roles.balancers:
        peers += web.peers
        if closed:
            peers.append(Ports("web", web_ports))
    else:
        balanced_peers = web.peers
        if settings.maintenance and closed:
            # each web node asks the others' health checks
            balanced_peers = [*balanced_peers, Ports("health", web_ports)]
    return SiteSpec(machines, peers, balanced_peers, web.port, web.health_path, web.database, domain=settings.domain)


def front_address(settings: Settings, cloud: Cloud) -> pulumi.Output[str]:
    """The address that visitors connect to: of the load balancer, the virtual IP or else the first web node."""
    if cloud.balancer:
        return cloud.balancer.address
    if cloud.virtual_ip:
        return cloud.virtual_ip.address
    return cloud.nodes[settings.node_roles.web[0]].public_address
