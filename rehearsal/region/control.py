"""The control of a running region: its faults, and what a drill asks of its machines and network."""

from __future__ import annotations

import subprocess
from typing import Any

from rehearsal.region.ca import Certificate, Issued
from rehearsal.region.capture import Capture, Flow
from rehearsal.region.endpoint import Endpoint
from rehearsal.region.faults import FaultInjector
from rehearsal.region.object_storage import Account, Statement
from rehearsal.region.preexisting import ExistingMachines, SshKeys
from rehearsal.region.region import Region


class RegionControl(FaultInjector):
    """Everything that a drill may do to a running region. Other processes call it through `control_socket`.

    An endpoint's name is a machine's name, `balancer` or `database`.
    """

    def __init__(self, region: Region) -> None:
        super().__init__(region)
        self._captures: dict[tuple[str, str], Capture] = {}

    def boot_existing(self, settings: dict[str, Any]) -> SshKeys:
        """Boot the machines that a stack of `cloud: existing` expects; `settings`: those of its file."""
        self._existing = ExistingMachines(self._region, settings)
        return self._existing.boot()

    def replace_existing(self, name: str) -> str:
        """Boot a new machine in the place of an existing one, after `boot_existing`; returns its public host key."""
        return self._existing.replace(name)

    def machines(self) -> dict[str, bool]:
        """Every machine and whether it runs."""
        return {machine.name: machine.running for machine in self._region.machines.values()}

    def address(self, name: str) -> str:
        """A machine's address for the region's other endpoints."""
        return self._machine(name).endpoint.address

    def exec_prefix(self, name: str) -> list[str]:
        """Command prefix: run inside a machine, as root."""
        return self._machine(name).exec_prefix()

    def netns_prefix(self, name: str) -> list[str]:
        """Command prefix: run in that endpoint's network namespace, with the local file system."""
        return ["nsenter", f"--net={self._endpoint(name).namespace}"]

    def chroot_prefix(self) -> list[str]:
        """Command prefix: run in the services' file system, which has programs such as a browser."""
        return self._region.services.chroot_prefix()

    def reaches(self, source: str, target: str, port: int) -> bool:
        """Whether a TCP connection from one endpoint to another opens within 2 s."""
        attempt = ["timeout", "2", "bash", "-c", f"</dev/tcp/{self._endpoint(target).address}/{port}"]
        done = subprocess.run([*self.netns_prefix(source), *attempt], check=False, capture_output=True)
        return done.returncode == 0

    def start_capture(self, name: str, interface: str) -> None:
        """Capture the TCP packets on one interface of a machine, until `stop_capture` or its power loss."""
        self._captures[name, interface] = self._region.new_capture(self._machine(name).endpoint.port(interface))

    def stop_capture(self, name: str, interface: str) -> list[Flow]:
        """Return the flows since `start_capture`. Raises `ToolError` when a packet was missed or the power was lost."""
        return self._captures.pop((name, interface)).stop()

    def issue(self, name: str) -> Issued:
        """A certificate of the region's authority for a DNS name or an IP address."""
        return self._region.ca.issue(name)

    def start_acme_server(self, directory: str) -> None:
        """Start an ACME server in the place of the authority with this directory, and let new visitors trust it.

        `directory`: the directory's address.
        """
        self._region.new_acme_server(directory)

    def point_domain(self, domain: str, target: str) -> None:
        """Resolve a domain to an address, or to the load balancer of a name, as its owner does after the first `up`."""
        public = {balancer.name: balancer.endpoint.public for balancer in self._region.balancers.values()}
        self._region.dns.set(domain, public.get(target, target))

    def add_certificate(self, key: str, domain: str) -> None:
        """Add the certificate that the operator has in the cloud before the first `up`, under its id or name."""
        self._region.certificates[key] = Certificate([domain], issued=True)

    def give_key(self, bucket: str, account: Account) -> None:
        """Give an account the rights of a node on a bucket, as an operator does for a stack that names the bucket."""
        place = f"arn:aws:s3:::{bucket}"
        self._region.buckets.permit(
            bucket,
            [
                Statement(account, ["s3:ListBucket"], place),
                Statement(account, ["s3:GetObject", "s3:PutObject", "s3:DeleteObject"], f"{place}/*"),
            ],
        )

    def departures(self) -> int:
        """How often a health check of a load balancer has taken a target out, since the region's start."""
        return sum(balancer.departures() for balancer in self._region.balancers.values())

    def resource_ids(self) -> list[str]:
        """Ids of the resources that the cloud holds and would bill for."""
        return sorted(self._region.records)

    def _endpoint(self, name: str) -> Endpoint:
        """The endpoint of a machine, of the load balancer (`balancer`) or of the active database (`database`)."""
        if name == "balancer":
            return next(iter(self._region.balancers.values())).endpoint
        if name == "database":
            return next(iter(self._region.databases.values())).active
        return self._machine(name).endpoint
