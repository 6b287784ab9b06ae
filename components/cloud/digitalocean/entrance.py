"""The one address that the balancers share: a reserved IP, moved by whoever takes over."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pulumi
import pulumi_digitalocean as digitalocean

from components import cloud
from components.cloud.digitalocean.settings import DigitalOceanSettings

SCRIPT = Path(__file__).with_name("move.sh")


@dataclass(frozen=True)
class EntranceArgs:
    """`droplets`: by name, those that may have the address."""

    settings: DigitalOceanSettings
    droplets: Mapping[str, digitalocean.Droplet]


class Entrance(pulumi.ComponentResource):
    """An address that stays (reserved IP), on the first droplet to begin with."""

    def __init__(self, name: str, args: EntranceArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("ha-wordpress:digitalocean:Entrance", name, None, opts)
        first = args.droplets[min(args.droplets)]
        reserved = digitalocean.ReservedIp(
            name,
            region=args.settings.region,
            droplet_id=first.id.apply(int),
            # from then on the droplets move it
            opts=pulumi.ResourceOptions(parent=self, ignore_changes=["droplet_id"]),
        )
        self.entrance = cloud.Entrance(
            address=reserved.ip_address,
            move=cloud.Move(
                script=SCRIPT.read_text(),
                params={
                    node: {"ADDRESS": reserved.ip_address, "DROPLET": droplet.id}
                    for node, droplet in args.droplets.items()
                },
                secrets={"TOKEN": pulumi.Output.secret(args.settings.balancer_token.get_secret_value())},
            ),
        )
        self.register_outputs({"address": reserved.ip_address})
