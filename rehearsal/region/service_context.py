"""Context of the region's managed services: its databases and load balancers."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from rehearsal.region.ca import CertificateAuthority
from rehearsal.region.dns import NameServer
from rehearsal.region.network import Network
from rehearsal.region.service import ServicesRoot


@dataclass(frozen=True)
class ServiceContext:
    """The parts of a region that a managed service works with."""

    root: ServicesRoot
    network: Network
    dns: NameServer
    ca: CertificateAuthority
    """Signs the certificate of the service's name."""
    logs: Path
    """Directory of the services' logs."""
