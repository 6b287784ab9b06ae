"""Input of a machine's cloud-init: the files of its NoCloud data source."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from rehearsal.region.endpoint import Port
from rehearsal.region.network import RESOLVER


def nocloud_seed(
    instance_id: str, hostname: str, ports: Sequence[Port], user_data: bytes, public_keys: list[str]
) -> dict[str, bytes]:
    """Return the files by name; the user data is passed on byte for byte.

    `public_keys`: keys that may log in as the image's default user.
    """
    meta_data = {"instance-id": instance_id, "local-hostname": hostname, "public-keys": public_keys}
    return {
        "meta-data": json.dumps(meta_data).encode(),
        "network-config": json.dumps({"version": 2, "ethernets": ethernets(ports)}).encode(),
        "user-data": user_data,
    }


def ethernets(ports: Sequence[Port]) -> dict[str, Any]:
    """Return the interfaces in cloud-init's network config version 2; the first one has the default route."""
    interfaces: dict[str, dict[str, Any]] = {
        port.interface: {
            "addresses": [f"{port.address}/{port.subnet.prefixlen}"],
            # no router advertises IPv6 here, and networkd would wait 13 s for one
            "accept-ra": False,
            "link-local": [],
            # networkd 252 fails for good ("Nexthop has invalid gateway") when a link is down for a moment
            "ignore-carrier": True,
        }
        for port in ports
    }
    interfaces[ports[0].interface] |= {
        "routes": [{"to": "default", "via": ports[0].gateway}],
        "nameservers": {"addresses": [RESOLVER]},
    }
    return interfaces
