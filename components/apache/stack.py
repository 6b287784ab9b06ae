"""Apache servers that exist already, their files moved to the volume."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pulumi

from components.apache.apache import HEALTH_PATH, PORT, Apache, ApacheArgs
from components.cloud.interface import Ports
from components.web.interface import WebContext


class ApacheStack:
    """Apache on every web node; the volume gets the first one's files, and the others wait for them."""

    user_data: Sequence[str] = ("apache",)
    balancer_user_data: Sequence[str] = ()
    port = PORT
    health_path = HEALTH_PATH
    owner = 0
    """root's, as /var/www is before it moves."""
    volume_options: Mapping[str, str] = {}
    database = False
    peers: Sequence[Ports] = ()

    def serve(self, context: WebContext) -> Mapping[str, pulumi.Input[str]]:
        filled: list[pulumi.Resource] = []
        own: dict[str, pulumi.Input[str]] = {}
        for name in context.roles.web:
            apache = Apache(
                name,
                ApacheArgs(
                    host=context.cloud.nodes[name].host,
                    volume=context.volume,
                    servers=context.servers(name),
                    first=name == context.roles.web[0],
                    depends_on=[*context.mountable[name], *filled],
                ),
            )
            filled = filled or [apache.step]
            own[f"{name}_own_files"] = apache.own
        return own
