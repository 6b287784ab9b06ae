"""Stand-in for pulumi-aws: the resource types that the program uses, on machines of the rehearsal."""

from __future__ import annotations

from rehearsal.plugins.aws import alarms, balancer, certificates, compute, database, dns, iam, network, offerings, s3
from rehearsal.plugins.protocol import Provider
from rehearsal.region.region import Region


def provider(region: Region) -> Provider:
    resource_types = [
        resource_type(region)
        for module in (network, compute, database, balancer, dns, certificates, alarms, iam, s3)
        for resource_type in module.RESOURCE_TYPES
    ]
    functions = {"aws:ec2/getAmi:getAmi": compute.get_ami, **offerings.functions(region.name)}
    return Provider("aws", resource_types, functions)
