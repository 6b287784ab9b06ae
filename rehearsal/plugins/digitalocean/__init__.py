"""Stand-in for pulumi-digitalocean: the kinds that the program uses, on machines of the rehearsal.

What a change replaces, and which values are refused, is as in terraform-provider-digitalocean, which the provider
is made from; what the API refuses, as in its documentation.
"""

from __future__ import annotations

from rehearsal.plugins.digitalocean import balancer, compute, database, firewall, network
from rehearsal.plugins.protocol import Provider
from rehearsal.region.region import Region


def provider(region: Region) -> Provider:
    resource_types = [
        resource_type(region)
        for module in (network, firewall, compute, database, balancer)
        for resource_type in module.RESOURCE_TYPES
    ]
    return Provider("digitalocean", resource_types, {database.CA: database.DatabaseCluster(region).ca})
