"""Existing Apache servers, with their files migrated to the volume."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pulumi

from components.apache.apache import HEALTH_PATH, PORT, Apache, ApacheArgs
from components.cloud.interface import Ports
from components.web.interface import Served, WebContext


class ApacheStack:
    """Apache on every web node. The volume gets the first node's files; the other nodes wait for that.

    Stack outputs: `<node>_own_files`, one line for each file that only this node had, or had with other content.
    """

    user_data: Sequence[str] = ("apache",)
    balancer_user_data: Sequence[str] = ()
    port = PORT
    health_path = HEALTH_PATH
    access_log = ""
    owner = 0
    """root, which owns /var/www before the migration."""
    volume_options: Mapping[str, str] = {}
    database = False
    peers: Sequence[Ports] = ()

    def serve(self, context: WebContext) -> Served:
        steps: list[pulumi.Resource] = []
        outputs: dict[str, pulumi.Input[str]] = {}
        for name in context.roles.web:
            apache = Apache(
                name,
                ApacheArgs(
                    host=context.cloud.nodes[name].host,
                    volume=context.volume,
                    servers=context.servers(name),
                    balancers=[context.cloud.nodes[each].private_address for each in context.roles.balancers],
                    first=name == context.roles.web[0],
                    depends_on=[*context.mountable[name], *steps[:1]],
                ),
            )
            steps.append(apache.step)
            outputs[f"{name}_own_files"] = apache.own_files
        return Served(outputs, written=steps)
