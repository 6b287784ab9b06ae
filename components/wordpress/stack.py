"""WordPress with its whole document root on the volume, a page cache in front, and bans for attackers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pulumi

from components.backup.backup import (
    Backup,
    BackupArgs,
    Restoration,
    program_params,
    repository_params,
    repository_secrets,
)
from components.cloud.interface import AccessKey, Bucket, Ports
from components.config import settings
from components.config.settings import Bans, Cache, PortRange, Site
from components.fail2ban.fail2ban import PORT as HITS_PORT
from components.fail2ban.fail2ban import SHARED, Fail2ban, Fail2banArgs
from components.varnish.varnish import PORT, Varnish, VarnishArgs
from components.web.interface import Served, WebContext
from components.web.web import HEALTH_PATH, PORT_BEHIND_CACHE, USER_ID, Web, WebArgs
from components.wordpress.wordpress import WordPress, WordPressArgs

ROOT = "/var/www/html"
"""Document root and mount point of the volume."""

MOUNT_OPTIONS = ("negative-timeout=10",)
"""Options of the volume's mounts. A page looks for 127 missing files, mostly templates of the theme. By default each
lookup asks all bricks; when the kernel remembers missing files, a page takes two thirds of the time.

The unit is seconds. A file created on another node becomes visible here within this many seconds, matching
opcache.revalidate_freq.
"""


AMAZON = "https://s3.amazonaws.com"
"""The S3 service of a named bucket, for settings that name none. Amazon's clients find the bucket's region through it.
"""


@dataclass(frozen=True)
class BackupStore:
    """The settings of the site's backups, and their secrets."""

    settings: settings.Backup
    secret_access_key: str
    password: str

    @property
    def named_bucket(self) -> Bucket:
        """The bucket that the settings name."""
        named = self.settings
        assert named.access_key_id
        return Bucket(
            url=pulumi.Output.from_input(f"{named.endpoint or AMAZON}/{named.bucket}"),
            access_key=AccessKey(named.access_key_id, self.secret_access_key),
            usable=[],
        )


class WordPressStack:
    """Varnish, nginx, PHP-FPM and the same files on every web node. The first web node installs the site; each one
    has cron's timer.

    When the web nodes hold no bricks, only the first two web nodes serve as fallback and hit counter, so a new node
    changes on the others only Varnish's list of web nodes. When they hold bricks, all of them do: a new node changes
    the others anyway, by its brick.

    A ban takes effect where the attacker's packets arrive: in the packet filter of the site's own balancers; behind a
    cloud's balancer, or behind trusted proxies, in Varnish and nginx, which know the visitor's address.
    """

    balancer_user_data: Sequence[str] = ("fail2ban",)
    port = PORT
    health_path = HEALTH_PATH
    access_log = "/var/log/varnish/varnishncsa.log"
    owner = USER_ID
    volume_options: Mapping[str, str] = {}
    database = True
    peers: Sequence[Ports] = (
        # nginx believes what its clients, root and Varnish, state about a visitor; PHP could name anybody
        Ports("cache", PortRange(PORT_BEHIND_CACHE, PORT_BEHIND_CACHE), refused_user=USER_ID),
        Ports("hits", PortRange(HITS_PORT, HITS_PORT), root_only=True),
        # after an edit, a node sends every Varnish the pages to remove
        Ports("edits", PortRange(PORT, PORT)),
    )

    def __init__(
        self,
        site: Site,
        smtp_password: str,
        bans: Bans,
        cache: Cache,
        trusted_proxies: Sequence[str],
        backup: BackupStore | None,
    ) -> None:
        self._site, self._smtp_password, self._bans, self._cache = site, smtp_password, bans, cache
        self._trusted_proxies, self._backup = trusted_proxies, backup
        parts = ("web", "wordpress", "migrate", "varnish", "fail2ban")
        self.user_data: Sequence[str] = (*parts, "backup") if backup else parts

    def serve(self, context: WebContext) -> Served:
        roles, cloud = context.roles, context.cloud
        addresses = {name: node.private_address for name, node in cloud.nodes.items()}
        database = cloud.database
        assert database
        mounts = {name: context.mount(name, ROOT, MOUNT_OPTIONS).step for name in (*roles.web, *roles.balancers)}
        neighbours = roles.web if {*roles.web} <= {*roles.bricks} else roles.web[:2]
        webs, caches = {}, {}
        for name in roles.web:
            host = cloud.nodes[name].host
            webs[name] = Web(
                name,
                WebArgs(
                    host=host,
                    root=ROOT,
                    mount=ROOT,
                    balancers=cloud.cidr,
                    trusted_proxies=self._trusted_proxies,
                    operators=cloud.operators,
                    trusted_ca=database.ca,
                    behind_cache=addresses[name],
                    cache_mb=self._cache.memory_mb,
                ),
            ).step
            caches[name] = Varnish(
                name,
                VarnishArgs(
                    host=host,
                    address=addresses[name],
                    neighbours={other: addresses[other] for other in neighbours if other != name},
                    network=cloud.cidr,
                    trusted_proxies=self._trusted_proxies,
                    web_nodes=[addresses[other] for other in roles.web],
                    memory_mb=self._cache.memory_mb,
                    depends_on=[webs[name]],
                ),
            ).step
        for name, mount in mounts.items():
            Fail2ban(
                name,
                Fail2banArgs(
                    host=cloud.nodes[name].host,
                    counters=[addresses[other] for other in roles.balancers or neighbours if other != name],
                    network=cloud.cidr,
                    ban_point="nftables" if name in roles.balancers else "proxy",
                    nginx=name in webs,
                    shared=f"{ROOT}/{SHARED}",
                    ignore=[cloud.cidr, *cloud.operators, *self._trusted_proxies],
                    bans=self._bans,
                    depends_on=[mount, caches[name]] if name in caches else [mount],
                ),
            )
        installer = roles.web[0]
        store, restore = self._backup, self._site.restore
        bucket = (cloud.bucket or store.named_bucket) if store else None
        wordpress = WordPress(
            "wordpress",
            WordPressArgs(
                host=cloud.nodes[installer].host,
                site=self._site,
                smtp_password=self._smtp_password,
                root=ROOT,
                url=context.url,
                database=database,
                restoration=Restoration(
                    restore.from_,
                    {**program_params(ROOT, store.settings), **repository_params(bucket)},
                    repository_secrets(bucket, store.password),
                )
                if store and bucket and restore
                else None,
                mounted=mounts[installer],
                php=[webs[installer]],
                cron=[cloud.nodes[name].host for name in roles.web],
            ),
        )
        outputs: dict[str, pulumi.Input[str]] = {
            "admin_user": self._site.admin_user,
            "admin_password": wordpress.admin_password,
        }
        if store and bucket:
            outputs["backups"] = bucket.url
            Backup(
                "backup",
                BackupArgs(
                    hosts=[cloud.nodes[name].host for name in roles.web],
                    root=ROOT,
                    settings=store.settings,
                    bucket=bucket,
                    password=store.password,
                    database=database.name,
                    database_host=pulumi.Output.format("{0}:{1}", database.address, database.port),
                    database_user=wordpress.database_user,
                    database_password=wordpress.database_password,
                    depends_on=[wordpress.installed, *(mounts[name] for name in roles.web)],
                ),
            )
        return Served(outputs=outputs, written=[wordpress.installed])
