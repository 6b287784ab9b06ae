"""WordPress with its whole document root on the volume, a cache in front, and attackers banned."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

import pulumi

from components.cloud.interface import Ports
from components.config.settings import Bans, Cache, PortRange, Site
from components.fail2ban.fail2ban import PORT as HITS_PORT
from components.fail2ban.fail2ban import SHARED, Fail2ban, Fail2banArgs, Limits
from components.gluster.mount import Mount, MountArgs
from components.varnish.varnish import PORT, Varnish, VarnishArgs
from components.web.interface import WebContext
from components.web.web import HEALTH_PATH, PORT_BEHIND_CACHE, USER_ID, Web, WebArgs
from components.wordpress.wordpress import WordPress, WordPressArgs

ROOT = "/var/www/html"

MOUNT_OPTIONS = ("negative-timeout=10",)
"""Of the volume's mounts. A page looks 127 times for a file that is not there, a theme's templates above all, and each
time all bricks were asked: it takes two thirds of the time where the kernel remembers that. In seconds, as many as
PHP's opcache.revalidate_freq: what was looked for here in vain, and is made on another node, is there after as many.
"""


class WordPressStack:
    """Varnish, nginx, PHP-FPM and the same files on every web node; the first one installs the site.

    Where web nodes hold no files, they know of none but the first two, who step in for whoever is ill and count hits:
    one more node is no news to the others. Where they do, it is: the volume grows by a brick.

    An address is banned where its packets arrive: at the balancers, where they are the site's own; where a cloud's
    balancer stands between, in Varnish and nginx, which know it.
    """

    user_data: Sequence[str] = ("web", "wordpress", "migrate", "varnish", "fail2ban")
    balancer_user_data: Sequence[str] = ("fail2ban",)
    port = PORT
    health_path = HEALTH_PATH
    owner = USER_ID
    volume_options: Mapping[str, str] = {}
    database = True
    peers: Sequence[Ports] = (
        Ports("cache", PortRange(PORT_BEHIND_CACHE, PORT_BEHIND_CACHE)),
        Ports("hits", PortRange(HITS_PORT, HITS_PORT)),
        # nodes tell each other's Varnish what to forget
        Ports("edits", PortRange(PORT, PORT)),
    )

    def __init__(self, site: Site, bans: Bans, cache: Cache) -> None:
        self._site, self._bans, self._cache = site, bans, cache

    def serve(self, context: WebContext) -> Mapping[str, pulumi.Input[str]]:
        roles, nodes, database = context.roles, context.cloud.nodes, context.cloud.database
        assert database
        mounts = {
            name: Mount(
                name,
                MountArgs(
                    nodes[name].host,
                    context.volume,
                    context.servers(name),
                    ROOT,
                    context.mountable[name],
                    MOUNT_OPTIONS,
                ),
            )
            for name in (*roles.web, *roles.balancers)
        }
        known = roles.web if {*roles.web} <= {*roles.bricks} else roles.web[:2]
        webs = {}
        for name in roles.web:
            node = nodes[name]
            webs[name] = Web(
                name, WebArgs(node.host, ROOT, ROOT, context.cloud.cidr, database.ca, node.private_address)
            )
            varnish = Varnish(
                name,
                VarnishArgs(
                    host=node.host,
                    address=node.private_address,
                    neighbours={other: nodes[other].private_address for other in known if other != name},
                    network=context.cloud.cidr,
                    memory_mb=self._cache.memory_mb,
                    depends_on=[webs[name].step],
                ),
            )
            self._ban(context, name, "proxy", roles.balancers or known, depends_on=[mounts[name].step, varnish.step])
        for name in roles.balancers:
            self._ban(context, name, "nftables", roles.balancers, depends_on=[mounts[name].step])
        first = roles.web[0]
        wordpress = WordPress(
            "wordpress",
            WordPressArgs(
                host=nodes[first].host,
                site=self._site,
                root=ROOT,
                url=context.url,
                database=database,
                mounted=mounts[first].step,
                php=[webs[first].step],
            ),
        )
        return {"admin_user": self._site.admin_user, "admin_password": wordpress.admin_password}

    def _ban(
        self,
        context: WebContext,
        name: str,
        ban_point: Literal["nftables", "proxy"],
        counters: Sequence[str],
        depends_on: Sequence[pulumi.Resource],
    ) -> None:
        cloud = context.cloud
        Fail2ban(
            name,
            Fail2banArgs(
                host=cloud.nodes[name].host,
                counters=[cloud.nodes[counter].private_address for counter in counters if counter != name],
                network=cloud.cidr,
                ban_point=ban_point,
                nginx=name in context.roles.web,
                shared=f"{ROOT}/{SHARED}",
                ignore=[cloud.cidr, *cloud.operators],
                limits=Limits(**self._bans.model_dump()),
                depends_on=depends_on,
            ),
        )
