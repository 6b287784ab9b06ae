"""About what a stack costs a month: the sum of what its graph has, and the message of a preview."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pulumi
import pytest

from components.cloud.aws import prices as aws
from components.cloud.digitalocean import prices as digitalocean
from components.cloud.prices import HOURS, Price
from components.config.loader import parse
from components.factory import create_web_stack, monthly_price
from components.site import site_spec
from tests.unit.graph import Graph, build, committed, text


def price(stack: str, changes: Mapping[str, Any]) -> Price | None:
    config = committed(stack) | {f"ha-wordpress:{name}": value for name, value in changes.items()}
    settings = parse({name.removeprefix("ha-wordpress:"): text(value) for name, value in config.items()})
    return monthly_price(settings, site_spec(settings, create_web_stack(settings)))


def amazon(graph: Graph) -> float:
    """The price of the resources that the engine gets, in USD a month."""
    usd = addresses = 0.0
    for machine in graph.of_type("ec2.Instance"):
        usd += aws.INSTANCES[machine.inputs["instanceType"]] * HOURS
        usd += machine.inputs["rootBlockDevice"]["volumeSize"] * aws.DISK_GB
        addresses += 1
    for disk in graph.of_type("ebs.Volume"):
        usd += disk.inputs["size"] * aws.DISK_GB
    for database in graph.of_type("rds.Instance"):
        assert database.inputs["multiAz"]
        usd += 2 * aws.DATABASES[database.inputs["instanceClass"]] * HOURS
        usd += 2 * database.inputs["allocatedStorage"] * aws.DATABASE_DISK_GB
    for balancer in graph.of_type("lb.LoadBalancer"):
        usd += aws.BALANCER * HOURS
        addresses += len(balancer.inputs["subnets"])
    # an elastic IP of a node takes the place of the node's own public address
    addresses += sum(1 for address in graph.of_type("ec2.Eip") if address.name == "entrance")
    return usd + addresses * aws.ADDRESS * HOURS


def digital_ocean(graph: Graph) -> float:
    """The price of the resources that the engine gets, in USD a month."""
    usd = 0.0
    for droplet in graph.of_type("digitalocean.Droplet"):
        usd += digitalocean.DROPLETS[droplet.inputs["size"]]
    for disk in graph.of_type("digitalocean.Volume"):
        usd += disk.inputs["size"] * digitalocean.DISK_GB
    for database in graph.of_type("digitalocean.DatabaseCluster"):
        usd += database.inputs["nodeCount"] * digitalocean.DATABASES[database.inputs["size"]]
    for balancer in graph.of_type("digitalocean.LoadBalancer"):
        usd += balancer.inputs["sizeUnit"] * digitalocean.BALANCER / 2
    return usd


LARGER: dict[str, Any] = {
    "gluster": {"disk_gb": 100},
    "machine": {"type": "m6i.large", "root_gb": 30},
    "database": {"class": "db.m7g.large", "storage_gb": 200},
}
BALANCERS: dict[str, Any] = {
    "topology": "balancers",
    "accept_plain_http": True,
    "nodes": {
        "lb1": {"role": "balancer", "zone": "us-east-1a"},
        "lb2": {"role": "balancer", "zone": "us-east-1b", "type": "t3.medium"},
        "web1": {"role": "web", "zone": "us-east-1c"},
        "web2": {"role": "web", "zone": "us-east-1a"},
    },
    "gluster": {"replica": 2, "arbiter": 1},
}


@pytest.mark.parametrize("changes", [{}, LARGER, BALANCERS], ids=["committed", "larger", "balancers"])
def test_a_price_on_amazon_is_the_sum_of_the_graph(changes: dict[str, Any]) -> None:
    found = price("aws-wordpress", changes)
    assert found
    assert found.usd == pytest.approx(amazon(build("aws-wordpress", **changes)))


@pytest.mark.parametrize(
    "changes",
    [{}, {"gluster": {"replica": 2, "arbiter": 1, "disk_gb": 50}, "machine": {"size": "s-2vcpu-4gb"}}],
    ids=["committed", "larger"],
)
def test_a_price_on_digitalocean_is_the_sum_of_the_graph(changes: dict[str, Any]) -> None:
    found = price("digitalocean-wordpress", changes)
    assert found
    assert found.usd == pytest.approx(digital_ocean(build("digitalocean-wordpress", **changes)))


def test_existing_machines_have_no_price() -> None:
    assert price("php-sessions", {}) is None


def test_a_preview_logs_the_price_and_its_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    assert not [line for line in build().log.infos if "USD" in line]
    monkeypatch.setattr(pulumi.runtime, "is_dry_run", lambda: True)
    (line,) = [line for line in build().log.infos if "USD" in line]
    assert line == (
        "About 144 USD a month: 3 t3.small 46, 108 GB of disks 9, db.t4g.small in two zones 47, its 20 GB 5, "
        "load balancer 16, 6 public addresses 22. Not included: traffic (the balancer's too), backups in a bucket, "
        "those of the database beyond its size, taxes. Prices of us-east-1 on demand, as published by others by July "
        "2026; compare aws.amazon.com/pricing."
    )


def test_a_type_without_a_price_is_named() -> None:
    found = price("aws-wordpress", {"machine": {"type": "x99.large"}, "database": {"class": "db.x99.large"}})
    assert found
    assert "; without 3 x99.large, db.x99.large in two zones, not in the table of prices. Not" in found.text
