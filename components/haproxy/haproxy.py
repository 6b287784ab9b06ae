"""HAProxy on a balancer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pulumi

from components.machine.remote import RemoteHost

PORT = 80
"""That visitors connect to."""

OWN_PORT = 8008
"""Of the loopback address, where HAProxy tells of itself; SELinux's policy lets it listen there (`http_port_t`)."""

HERE = Path(__file__).parent


@dataclass(frozen=True)
class HaproxyArgs:
    """`targets`: the web nodes' private addresses by name. `web_port`: that they serve on. `health_path`: answered by
    200 while they can. `balancers`: the other balancers' private addresses by name, none where there is one only.
    """

    host: RemoteHost
    targets: Mapping[str, pulumi.Input[str]]
    web_port: int
    health_path: str
    balancers: Mapping[str, pulumi.Input[str]]


class Haproxy(pulumi.ComponentResource):
    """HAProxy on port 80, in front of the web nodes that are healthy (one step).

    It waits for no web node: it answers 503 until there is one.
    """

    def __init__(self, name: str, args: HaproxyArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("ha-wordpress:balancer:Haproxy", name, None, opts)
        self.step = args.host.run(
            "haproxy",
            HERE / "haproxy.sh",
            params={
                "CONFIG": pulumi.Output.all(targets=dict(args.targets), balancers=dict(args.balancers)).apply(
                    lambda known: config(known["targets"], args.web_port, args.health_path, known["balancers"])
                ),
                "OWN_PORT": str(OWN_PORT),
            },
            opts=pulumi.ResourceOptions(parent=self),
        )
        self.register_outputs({})


def config(targets: Mapping[str, str], web_port: int, health_path: str, balancers: Mapping[str, str]) -> str:
    """The text of haproxy.cfg; only its step knows `@VERSION@`."""
    return (
        (HERE / "haproxy.cfg")
        .read_text()
        .replace("@WEB@", servers(targets, web_port))
        .replace("@HEALTH_PATH@", health_path)
        .replace("@NEIGHBOURS@", "\n".join((servers(targets, web_port), servers(balancers, PORT))))
        .replace("@OWN_PORT@", str(OWN_PORT))
    )


def servers(addresses: Mapping[str, str], port: int) -> str:
    return "\n".join(f"    server {name} {address}:{port}" for name, address in sorted(addresses.items()))
