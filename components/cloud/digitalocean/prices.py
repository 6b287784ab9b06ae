"""DigitalOcean's list prices, the same in every region, and what a stack costs by them."""

from __future__ import annotations

from collections.abc import Iterator

from components.cloud.digitalocean.settings import DigitalOceanSettings
from components.cloud.interface import SiteSpec
from components.cloud.prices import Part, Price, machines

SOURCE = "Prices as published by others by September 2026; compare digitalocean.com/pricing"

DROPLETS = {
    "s-1vcpu-512mb-10gb": 4,
    "s-1vcpu-1gb": 6,
    "s-1vcpu-2gb": 12,
    "s-2vcpu-2gb": 18,
    "s-2vcpu-4gb": 24,
    "s-4vcpu-8gb": 48,
    "s-8vcpu-16gb": 96,
}
"""Basic droplets, in USD a month. Compared in November 2026 with a list of the prices since July 2022 and with two
published tables: no difference.
"""

DATABASES = {
    "db-s-1vcpu-2gb": 30.45,
    "db-s-2vcpu-4gb": 60.90,
    "db-s-4vcpu-8gb": 122.10,
    "db-s-6vcpu-16gb": 244.35,
}
"""One node of managed MySQL with its smallest storage, in USD a month; the standby costs as much as the primary.
Compared in November 2026 with a research note of 2026-08-09 (MySQL up to four CPUs), a cost plan of 2026-09-30 (up to
two CPUs) and two published tables without a date (up to six). No difference; others, rounded, have 30, 60, 120, 240.
"""

DISK_GB = 0.10
"""A volume, in USD a month for a GB. Compared in November 2026 with published tables: no difference, here and below."""
BALANCER = 2 * 12
"""A load balancer of two nodes, in USD a month."""


def price(settings: DigitalOceanSettings, site: SiteSpec) -> Price:
    """What the stack costs a month."""
    return Price(
        list(parts(settings, site)), SOURCE, "traffic beyond the droplets' allowance, backups in Spaces, taxes"
    )


def parts(settings: DigitalOceanSettings, site: SiteSpec) -> Iterator[Part]:
    """The droplets, volumes, database and balancer of a stack. A reserved IP in use costs nothing."""
    yield from machines([node.size or settings.machine.size for node in settings.nodes.values()], DROPLETS)
    if disks := sum(machine.disk_gb or 0 for machine in site.machines.values()):
        yield Part(f"{disks} GB of volumes", disks * DISK_GB)
    if site.database:
        size = settings.database.size
        yield Part(f"2 {size}", 2 * DATABASES[size] if size in DATABASES else None)
    if site.balanced:
        yield Part("load balancer", BALANCER)
