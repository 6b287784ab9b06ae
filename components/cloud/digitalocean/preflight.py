"""Checks that ask DigitalOcean, before anything is made."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pulumi
import pulumi_digitalocean as digitalocean

from components.cloud.digitalocean.settings import DigitalOceanSettings
from components.cloud.operator import ssh_from_errors
from components.config.errors import SettingsError

SPACES_KEY = {"spacesAccessId": "SPACES_ACCESS_KEY_ID", "spacesSecretKey": "SPACES_SECRET_ACCESS_KEY"}
"""The provider's settings of an access key of Spaces, and the variables that it reads in their place."""


def check(settings: DigitalOceanSettings, *, bucket: bool) -> None:
    """Raise SettingsError, with all errors, for a region or sizes that do not exist or do not fit, for a VPC elsewhere,
    for a machine that the droplets' firewall would not admit, and for a bucket that the provider cannot make.

    `bucket`: whether the site needs one. Not for the size of the database: the provider has no function that lists them
    (pulumi-digitalocean 4, `get_…`).
    """
    lines = [
        *ssh_from_errors(settings.network.ssh_from),
        *size_errors(settings),
        *vpc_errors(settings),
        *(spaces_errors() if bucket else ()),
    ]
    if lines:
        # an error of `machine.size` is one for each node that has it
        raise SettingsError(list(dict.fromkeys(lines)))


def size_errors(settings: DigitalOceanSettings) -> Iterator[str]:
    """Yield an error line for a region without new droplets, or for each size that the region lacks."""
    sizes = {region.slug: region.sizes for region in digitalocean.get_regions().regions if region.available}
    if settings.region not in sizes:
        yield f"region: {settings.region} takes no new droplets; use one of: {', '.join(sorted(sizes))}"
        return
    for name, node in settings.nodes.items():
        size, place = (node.size, f"nodes.{name}.size") if node.size else (settings.machine.size, "machine.size")
        if size not in sizes[settings.region]:
            yield f"{place}: {settings.region} has no {size}; choose another size or region (doctl compute size list)"


def vpc_errors(settings: DigitalOceanSettings) -> Iterator[str]:
    """Yield an error line for an existing VPC in another region."""
    if settings.network.vpc:
        region = digitalocean.get_vpc(id=settings.network.vpc).region
        if region != settings.region:
            yield f"network.vpc: is in {region}, not in {settings.region}; choose a VPC of the stack's region"


def spaces_errors() -> Iterator[str]:
    """Yield an error line for a provider without an access key of Spaces: its token makes no bucket."""
    config = pulumi.Config("digitalocean")
    for key, variable in SPACES_KEY.items():
        if config.get_secret(key) is None and not os.environ.get(variable):
            yield (
                f"backup: {variable} is not in the environment, but DigitalOcean makes a bucket with an access key of "
                "Spaces only; set it to a key of the control panel, or name a bucket and its key in backup"
            )
