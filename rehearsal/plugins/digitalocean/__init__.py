"""Stand-in for pulumi-digitalocean: the resource types that the program uses, on machines of the rehearsal.

Replacements and refused values follow terraform-provider-digitalocean, which the provider is built from; the API's
refusals follow its documentation.
"""

from __future__ import annotations

from rehearsal.plugins.digitalocean import (
    alarms,
    balancer,
    certificates,
    compute,
    database,
    dns,
    firewall,
    network,
    object_storage,
    regions,
)
from rehearsal.plugins.protocol import Provider
from rehearsal.region.region import Region


def provider(region: Region) -> Provider:
    resource_types = [
        resource_type(region)
        for module in (network, firewall, compute, database, balancer, certificates, dns, alarms, object_storage)
        for resource_type in module.RESOURCE_TYPES
    ]
    functions = {
        database.CA: database.DatabaseCluster(region).ca,
        network.GET_VPC: network.Vpc(region).get,
        regions.GET_REGIONS: regions.get_regions,
    }
    return Provider("digitalocean", resource_types, functions)
