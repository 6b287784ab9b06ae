"""The region: everything that the rehearsal has instead of a cloud, by the ids that the stand-ins chose."""

from __future__ import annotations

import base64
import json
import ssl
import sys
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rehearsal.region import metadata
from rehearsal.region.acme import AcmeServer
from rehearsal.region.ca import FILE, Certificate, CertificateAuthority
from rehearsal.region.capture import Capture
from rehearsal.region.cloud_init import nocloud_seed
from rehearsal.region.database import Database, DatabaseSpec
from rehearsal.region.disk import Disk
from rehearsal.region.dns import NameServer
from rehearsal.region.endpoint import Endpoint, Port
from rehearsal.region.load_balancer import LoadBalancer, TargetGroup
from rehearsal.region.machine import Machine
from rehearsal.region.network import ROUTER, Network
from rehearsal.region.object_storage import Account, Address, ObjectStorage
from rehearsal.region.service import Service, ServicesRoot
from rehearsal.region.service_context import ServiceContext
from rehearsal.region.settings import RegionSettings
from rehearsal.setup import s3_server
from rehearsal.system.cgroups import Cgroup


@dataclass(frozen=True)
class Record:
    """A resource that exists in the cloud."""

    token: str
    inputs: Any
    lose: Callable[[], None]
    """Removes the resource, and all that ends with it, without a request: as when it fails for good."""


class Region:
    """Machines, disks, databases, load balancers and reserved addresses by the ids that the stand-ins chose."""

    def __init__(self, settings: RegionSettings) -> None:
        self.name = settings.name
        self.records: dict[str, Record] = {}
        self.machines: dict[str, Machine] = {}
        self.disks: dict[str, Disk] = {}
        self.databases: dict[str, Database] = {}
        self.balancers: dict[str, LoadBalancer] = {}
        self.target_groups: dict[str, TargetGroup] = {}
        self.addresses: dict[str, str] = {}
        self.certificates: dict[str, Certificate] = {}
        self.roles: dict[str, Account] = {}
        """The roles of machines, by name, and their keys for object storage."""
        self._object_storage: ObjectStorage | None = None
        self._object_storage_lock = threading.Lock()
        self._settings = settings
        self._directory = settings.directory
        self._logs = settings.directory / "logs"
        for folder in ("machines", "disks", "snapshots", "logs", "metadata"):
            (self._directory / folder).mkdir()
        self.network = Network(settings.outside)
        self.services = ServicesRoot(self._directory / "services", [settings.image.services, settings.image.nodes])
        self.dns = NameServer(self.services, self._logs)
        self.ca = CertificateAuthority()
        self._trusted: list[str] = []
        self._trust(self.ca.certificate)
        self._metadata = settings.directory / "metadata"
        self._metadata_service = Service(
            ["nsenter", f"--net={ROUTER}", sys.executable, "-m", "rehearsal.region.metadata", str(self._metadata)],
            self._logs / "metadata.log",
        )

    def new_machine(
        self,
        key: str,
        *,
        name: str,
        hostname: str,
        ports: Sequence[Port],
        user_data: bytes,
        public_keys: list[str],
    ) -> Machine:
        """Make a machine that trusts the authorities of the region so far; it is off.

        `name`: the operator's name for it; `user_data`: passed on to its cloud-init byte for byte; `public_keys`: keys
        that may log in as the image's default user.
        """
        for port in ports:
            (self._metadata / port.address).write_bytes(user_data)
        machine = Machine(
            directory=self._directory / "machines" / key,
            image=self._settings.image.nodes,
            name=name,
            hostname=hostname,
            seed=nocloud_seed(key, hostname, ports, user_data, public_keys),
            network=self.network,
            endpoint=Endpoint(key[:13], tuple(ports)),
            cgroup=Cgroup(f"{self._settings.cgroup}/{key}"),
        )
        with (machine.root / "etc/ssl/certs/ca-certificates.crt").open("a") as bundle:
            bundle.writelines(self._trusted)
        # for the next update-ca-certificates, which makes that bundle again
        for number, certificate in enumerate(self._trusted):
            source = machine.root / f"usr/local/share/ca-certificates/rehearsal{number}.crt"
            source.write_text(certificate)
        self.machines[key] = machine
        return machine

    def new_disk(self, key: str, size_gb: int) -> None:
        """Make an empty disk of `size_gb` GiB."""
        self.disks[key] = Disk(self._directory / "disks" / key, size_gb)

    def remove_disk(self, key: str) -> None:
        """Delete a disk and its data; a file system that is mounted from it fails."""
        disk = self.disks.pop(key)
        for machine in list(self.machines.values()):
            if any(attachment.disk is disk for attachment in machine.attachments):
                machine.detach(disk)
        disk.close()

    def new_database(self, key: str, spec: DatabaseSpec) -> None:
        """Make a database server and wait until it answers."""
        self.databases[key] = Database(key, spec, self._service_context())

    def new_balancer(self, key: str, name: str, endpoint: Endpoint) -> None:
        """Make a load balancer without listeners; `name`: the DNS name that clients connect to."""
        self.balancers[key] = LoadBalancer(name, endpoint, self._service_context())

    def apply_balancers(self) -> None:
        """Load each load balancer's listeners and groups as they are now."""
        for balancer in self.balancers.values():
            balancer.apply()

    def new_acme_server(self, directory: str) -> AcmeServer:
        """Start an ACME server in the place of the authority with this directory; visitors and later machines trust it.

        `directory`: the directory's address.
        """
        endpoint = Endpoint("acme", (self.network.new_public_port("eth0", None),))
        server = AcmeServer(directory, endpoint, self._service_context())
        self._trust(server.root)
        return server

    def object_storage(self, address: Address) -> ObjectStorage:
        """The region's object storage, which its first use starts."""
        with self._object_storage_lock:
            if not self._object_storage:
                endpoint = Endpoint("s3", (self.network.new_public_port("eth0", None),))
                self._object_storage = ObjectStorage(address, endpoint, s3_server.ensure(), self._service_context())
            return self._object_storage

    @property
    def buckets(self) -> ObjectStorage:
        """The object storage, which a stack has used."""
        assert self._object_storage
        return self._object_storage

    def set_role(self, key: str, role: str | None) -> None:
        """Let a machine get the keys of a role from its metadata service; None: of no role."""
        for port in self.machines[key].endpoint.ports:
            file = self._metadata / metadata.role_file(port.address)
            file.unlink(missing_ok=True)
            if role:
                account = self.roles[role]
                file.write_text(metadata.role_text(role, account.access_key_id, account.secret_access_key))

    def certificate(self, key: str) -> Certificate | None:
        """A certificate by its id or name in the cloud; None: there is no such certificate."""
        return self.certificates.get(key)

    def new_capture(self, port: Port) -> Capture:
        """Start a capture of the TCP packets on a port."""
        return Capture(self.services, port, self._logs)

    def new_snapshot(self, name: str) -> Path:
        """Path for the dump of a database's final snapshot."""
        return self._directory / "snapshots" / f"{name}.sql"

    def snapshot_disk(self, key: str) -> None:
        """Keep a disk's data beyond its deletion."""
        disk = self.disks[key]
        (self._directory / "snapshots" / f"{key}.img").hardlink_to(disk.file)

    def _trust(self, certificate: str) -> None:
        """Let visitors, browsers and later machines trust an authority. `certificate`: the authority's, as PEM text."""
        self._trusted.append(certificate)
        (self._directory / FILE).write_text("".join(self._trusted))
        trust_in_browser(self.services, self._trusted)

    def _service_context(self) -> ServiceContext:
        return ServiceContext(self.services, self.network, self.dns, self.ca, self._logs)


def trust_in_browser(services: ServicesRoot, certificates: Sequence[str]) -> None:
    """Let Debian's Chromium trust authorities (Chrome Enterprise policy list, "CACertificates").

    `certificates`: the authorities' own, as PEM texts.
    """
    policies = services.path / "etc/chromium/policies/managed"
    policies.mkdir(parents=True, exist_ok=True)
    encoded = [base64.b64encode(ssl.PEM_cert_to_DER_cert(certificate)).decode() for certificate in certificates]
    (policies / "rehearsal.json").write_text(json.dumps({"CACertificates": encoded}))
