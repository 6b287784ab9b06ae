"""Apache servers that exist already, their files moved to the volume."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pulumi

from components.apache.apache import HEALTH_PATH, PORT, Apache, ApacheArgs
from components.web.stack import Ground


class ApacheStack:
    """Apache on every web node; the volume gets the first one's files, and the others wait for them."""

    user_data: Sequence[str] = ("apache",)
    port = PORT
    health_path = HEALTH_PATH
    owner = 0
    """root's, as /var/www is before it moves."""
    database = False

    def serve(self, ground: Ground) -> Mapping[str, pulumi.Input[str]]:
        filled: list[pulumi.Resource] = []
        for name in ground.plan.web:
            apache = Apache(
                name,
                ApacheArgs(
                    host=ground.cloud.nodes[name].host,
                    volume=ground.volume,
                    servers=ground.servers(name),
                    first=name == ground.plan.web[0],
                    needs=[*ground.mountable[name], *filled],
                ),
            )
            filled = filled or [apache.step]
        return {}
