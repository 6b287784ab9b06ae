"""Regions, and the droplet sizes in them."""

from __future__ import annotations

from pulumi_digitalocean import DropletSlug, Region

from rehearsal.plugins.protocol import Properties

GET_REGIONS = "digitalocean:index/getRegions:getRegions"
CLOSED = frozenset({"ams2", "nyc2", "sfo1"})
"""Regions that take no new droplets (DigitalOcean documentation, "Regional Availability")."""


def get_regions(arguments: Properties) -> Properties:
    """Every region; the rehearsal's offer all sizes that have no graphics processor."""
    sizes = sorted(slug.value for slug in DropletSlug if not slug.value.startswith("gpu-"))
    regions = [
        {
            "slug": region.value, "name": region.value.upper(), "available": region.value not in CLOSED,
            "sizes": [] if region.value in CLOSED else sizes, "features": ["metadata", "storage"],
        }
        for region in Region
    ]  # fmt: skip
    return arguments | {"id": "regions", "regions": regions}
