"""WordPress, its whole document root on the volume."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pulumi

from components.gluster.mount import Mount, MountArgs
from components.settings import Site
from components.web.stack import Ground
from components.web.web import HEALTH_PATH, PORT, USER_ID, Web, WebArgs
from components.wordpress.wordpress import WordPress, WordPressArgs

ROOT = "/var/www/html"


class WordPressStack:
    """nginx, PHP-FPM and the same files on every web node; the first one installs the site."""

    user_data: Sequence[str] = ("web", "wordpress", "move")
    port = PORT
    health_path = HEALTH_PATH
    owner = USER_ID
    database = True

    def __init__(self, site: Site) -> None:
        self._site = site

    def serve(self, ground: Ground) -> Mapping[str, pulumi.Input[str]]:
        cloud, database = ground.cloud, ground.cloud.database
        assert database
        mounts, webs = {}, {}
        for name in ground.plan.web:
            host = cloud.nodes[name].host
            mounts[name] = Mount(
                name, MountArgs(host, ground.volume, ground.servers(name), ROOT, ground.mountable[name])
            )
            webs[name] = Web(name, WebArgs(host, ROOT, ROOT, cloud.network, database.ca))
        first = ground.plan.web[0]
        wordpress = WordPress(
            "wordpress",
            WordPressArgs(
                host=cloud.nodes[first].host,
                site=self._site,
                root=ROOT,
                url=ground.url,
                database=database,
                mounted=mounts[first].step,
                php=[webs[first].step],
            ),
        )
        return {"admin_user": self._site.admin_user, "admin_password": wordpress.admin_password}
