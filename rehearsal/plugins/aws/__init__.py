"""Stand-in for pulumi-aws: the kinds that the program uses, on machines of the rehearsal."""

from __future__ import annotations

from rehearsal.plugins.aws import balancer, compute, database, network
from rehearsal.plugins.protocol import Provider
from rehearsal.region.region import Region


def provider(region: Region) -> Provider:
    kinds = [kind(region) for module in (network, compute, database, balancer) for kind in module.KINDS]
    return Provider("aws", kinds, {"aws:ec2/getAmi:getAmi": compute.get_ami})
