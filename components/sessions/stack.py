"""A PHP application with its sessions on the volume."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from components.cloud.interface import Ports
from components.sessions.sessions import MOUNT_OPTIONS, VOLUME_OPTIONS, Sessions, SessionsArgs
from components.web.interface import Served, WebContext
from components.web.web import HEALTH_PATH, PORT, USER_ID, Web, WebArgs

ROOT = "/var/www/html"
"""Document root, on each node's own disk. Deploying the application there is not part of the stack."""

MOUNT = "/media/sessions"
"""Mount point of the volume with the sessions."""


class SessionsStack:
    """nginx and PHP-FPM on every web node, with shared sessions for an application."""

    user_data: Sequence[str] = ("web",)
    balancer_user_data: Sequence[str] = ()
    port = PORT
    health_path = HEALTH_PATH
    access_log = "/var/log/nginx/access.log"
    owner = USER_ID
    volume_options: Mapping[str, str] = VOLUME_OPTIONS
    database = False
    peers: Sequence[Ports] = ()

    def __init__(self, trusted_proxies: Sequence[str]) -> None:
        self._trusted_proxies = trusted_proxies

    def serve(self, context: WebContext) -> Served:
        cloud = context.cloud
        for name in context.roles.web:
            host = cloud.nodes[name].host
            mount = context.mount(name, MOUNT, MOUNT_OPTIONS)
            web = Web(name, WebArgs(host, ROOT, MOUNT, cloud.cidr, self._trusted_proxies, cloud.operators))
            Sessions(name, SessionsArgs(host, MOUNT, context.https, [mount.step, web.step]))
        return Served(outputs={}, written=[])
