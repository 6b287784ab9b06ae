"""PHP with its sessions on the volume."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pulumi

from components.cloud.interface import Ports
from components.gluster.mount import Mount, MountArgs
from components.sessions.sessions import MOUNT_OPTIONS, VOLUME_OPTIONS, Sessions, SessionsArgs
from components.web.interface import WebContext
from components.web.web import HEALTH_PATH, PORT, USER_ID, Web, WebArgs

ROOT = "/var/www/html"
"""Of the application, on each node's own disk: how it comes there is its own business."""


class SessionsStack:
    """nginx and PHP-FPM on every web node, for an application that keeps sessions."""

    user_data: Sequence[str] = ("web",)
    balancer_user_data: Sequence[str] = ()
    port = PORT
    health_path = HEALTH_PATH
    owner = USER_ID
    volume_options: Mapping[str, str] = VOLUME_OPTIONS
    database = False
    peers: Sequence[Ports] = ()

    def serve(self, context: WebContext) -> Mapping[str, pulumi.Input[str]]:
        cloud = context.cloud
        for name in context.roles.web:
            host = cloud.nodes[name].host
            path = SessionsArgs.mount
            mount = Mount(
                name,
                MountArgs(host, context.volume, context.servers(name), path, context.mountable[name], MOUNT_OPTIONS),
            )
            web = Web(name, WebArgs(host, ROOT, path, cloud.cidr))
            Sessions(name, SessionsArgs(host, [mount.step, web.step]))
        return {}
