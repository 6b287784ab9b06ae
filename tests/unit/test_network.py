"""Subnet ranges, and the database certificates of a region."""

from __future__ import annotations

from ipaddress import IPv4Network

from hypothesis import given
from hypothesis import strategies as st

from components.cloud.aws.certificates import database_ca
from components.cloud.aws.network import subnet_range

ZONES = [f"us-east-1{letter}" for letter in "abcdefgh"]

networks = st.builds(
    lambda base, length: IPv4Network((base, length), strict=False), st.integers(0, 2**32 - 1), st.integers(16, 21)
)


def test_the_letter_of_a_zone_decides_its_subnet() -> None:
    assert subnet_range(IPv4Network("10.20.0.0/16"), "us-east-1a") == IPv4Network("10.20.0.0/24")
    assert subnet_range(IPv4Network("10.20.0.0/16"), "us-east-1d") == IPv4Network("10.20.3.0/24")


@given(networks)
def test_subnets_are_inside_the_network_and_do_not_overlap(cidr: IPv4Network) -> None:
    ranges = [subnet_range(cidr, zone) for zone in ZONES]
    assert all(part.subnet_of(cidr) for part in ranges)
    assert len(set(ranges)) == len(ZONES)


def test_every_region_has_three_root_certificates() -> None:
    roots = database_ca("eu-west-1")
    assert roots.count("-----BEGIN CERTIFICATE-----") == 3
    assert roots != database_ca("us-east-1")
    assert "#" not in roots


def test_a_prefix_of_a_regions_name_is_not_that_region() -> None:
    assert database_ca("us-east") == ""
