"""Amazon's list prices, and what a stack costs by them."""

from __future__ import annotations

from collections.abc import Iterator

from components.cloud.aws.settings import AwsSettings
from components.cloud.interface import SiteSpec
from components.cloud.prices import HOURS, Part, Price, machines

SOURCE = "Prices of us-east-1 on demand, as published by others by July 2026; compare aws.amazon.com/pricing"

INSTANCES = {
    "t3.micro": 0.0104,
    "t3.small": 0.0208,
    "t3.medium": 0.0416,
    "t3.large": 0.0832,
    "t3.xlarge": 0.1664,
    "t3a.small": 0.0188,
    "t3a.medium": 0.0376,
    "t3a.large": 0.0752,
    "t4g.small": 0.0168,
    "t4g.medium": 0.0336,
    "t4g.large": 0.0672,
    "m6i.large": 0.096,
    "m6i.xlarge": 0.192,
    "m7g.large": 0.0816,
    "m7i.large": 0.1008,
    "c6i.large": 0.085,
    "c6i.xlarge": 0.17,
    "r6i.large": 0.126,
}
"""Linux, in USD an hour. Compared in November 2026: t3, t4g, m6i, m7i, c6i and r6i with a published table that was
checked against instances.vantage.sh on 2026-07-28; m7g with an article of 2026-06-17 and t3a with two published tables
without a date. No difference.
"""

DATABASES = {
    "db.t4g.micro": 0.016,
    "db.t4g.small": 0.032,
    "db.t4g.medium": 0.065,
    "db.t4g.large": 0.129,
    "db.t3.small": 0.034,
    "db.t3.medium": 0.068,
    "db.t3.large": 0.136,
    "db.m6g.large": 0.152,
    "db.m7g.large": 0.168,
    "db.r6g.large": 0.215,
}
"""MySQL and MariaDB in one zone, in USD an hour. Multi-AZ costs twice as much, and so does its storage. Compared in
November 2026: all but db.m7g.large with the data of Bytebase's dbcost, read from Amazon's price list in March 2023; t4g
up to medium with an article of 2026; t3, db.m6g.large and db.m7g.large with published tables without a date;
db.r6g.large with an invoice and such a table. No difference. Tables that have more for m6g and r6g have PostgreSQL's
prices, 0.159 and 0.225, or lie between the two.
"""

DISK_GB = 0.08
"""gp3, in USD a month for a GB. Compared in November 2026 with published tables: no difference, here and below."""
DATABASE_DISK_GB = 0.115
"""gp3 of a database in one zone, in USD a month for a GB; compared with an article of June 2026."""
BALANCER = 0.0225
"""An application load balancer without traffic, in USD an hour."""
ADDRESS = 0.005
"""A public IPv4 address, an elastic IP or another, in USD an hour."""


def price(settings: AwsSettings, site: SiteSpec) -> Price:
    """What the stack costs a month."""
    return Price(
        list(parts(settings, site)),
        SOURCE,
        "traffic (the balancer's too), backups in a bucket, those of the database beyond its size, taxes",
    )


def parts(settings: AwsSettings, site: SiteSpec) -> Iterator[Part]:
    """The machines, disks, database, balancer and addresses of a stack."""
    nodes = settings.nodes
    monthly = {type_: hourly * HOURS for type_, hourly in INSTANCES.items()}
    yield from machines([node.type or settings.machine.type for node in nodes.values()], monthly)
    disks = sum(settings.machine.root_gb + (machine.disk_gb or 0) for machine in site.machines.values())
    yield Part(f"{disks} GB of disks", disks * DISK_GB)
    if site.database:
        class_, storage = settings.database.instance_class, settings.database.storage_gb
        hourly = DATABASES.get(class_)
        yield Part(f"{class_} in two zones", hourly and 2 * hourly * HOURS)
        yield Part(f"its {storage} GB", 2 * storage * DATABASE_DISK_GB)
    # the load balancer has an address in each zone, and the virtual IP is one more
    addresses = len(nodes) + bool(site.virtual_ip_nodes)
    if site.balanced:
        yield Part("load balancer", BALANCER * HOURS)
        addresses += len({node.zone for node in nodes.values()})
    yield Part(f"{addresses} public addresses", addresses * ADDRESS * HOURS)
