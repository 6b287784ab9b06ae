"""Values that stand for the operator's own in documents and in the committed stacks; a deployment refuses them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from ipaddress import IPv4Network, IPv6Network
from typing import TypeVar

RANGES: Mapping[IPv4Network | IPv6Network, str] = {
    IPv4Network("192.0.2.0/24"): "RFC 5737",
    IPv4Network("198.51.100.0/24"): "RFC 5737",
    IPv4Network("203.0.113.0/24"): "RFC 5737",
    IPv6Network("2001:db8::/32"): "RFC 3849",
    IPv6Network("3fff::/20"): "RFC 9637",
}
"""Ranges that no machine has, and the document that says so."""
NAMES = re.compile(r"(.+[.@])?example(\.(com|net|org))?")
"""Names that no site has (RFC 2606)."""
ZONE = "EXAMPLE"
"""Part of the ids in Amazon's documents."""

RangeT = TypeVar("RangeT", bound=IPv4Network | IPv6Network)


def own_range(network: RangeT) -> RangeT:
    """The range; raises ValueError if it is for documentation only."""
    for documentation, source in RANGES.items():
        if network[0] in documentation and network[-1] in documentation:
            raise ValueError(f"{network} is for documentation only ({source}); write your own")
    return network


def own_name(text: str) -> str:
    """The domain or e-mail address; raises ValueError if it is for documentation only."""
    if NAMES.fullmatch(text):
        raise ValueError(f"{text} is for documentation only (RFC 2606); write your own")
    return text


def own_zone(zone_id: str) -> str:
    """The hosted zone's id; raises ValueError for a placeholder."""
    if ZONE in zone_id:
        raise ValueError(f"{zone_id} is a placeholder; write an id that `aws route53 list-hosted-zones` prints")
    return zone_id
