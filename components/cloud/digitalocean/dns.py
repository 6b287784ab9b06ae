"""The DNS record of the site's domain."""

from __future__ import annotations

import pulumi
import pulumi_digitalocean as digitalocean


def site_record(
    name: str, domain: str, zone: str, address: pulumi.Input[str], opts: pulumi.ResourceOptions
) -> digitalocean.DnsRecord:
    """The A record that leads from the site's domain to `address`. `zone`: the domain in DigitalOcean's DNS."""
    return digitalocean.DnsRecord(
        name,
        domain=zone,
        type="A",
        name=domain.removesuffix(zone).rstrip(".") or "@",
        value=address,
        opts=opts,
    )
