"""The region: everything that the rehearsal has in the place of a cloud, by the ids that the stand-ins gave it."""

from __future__ import annotations

import ipaddress
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rehearsal.region.ca import CertificateAuthority
from rehearsal.region.capture import Capture
from rehearsal.region.database import Account, Database
from rehearsal.region.disk import Disk
from rehearsal.region.dns import NameServer
from rehearsal.region.load_balancer import Balancer, TargetGroup
from rehearsal.region.machine import Machine
from rehearsal.region.network import RESOLVER, Host, Network, Port
from rehearsal.region.service import ServicesRoot
from rehearsal.setup.image import Image
from rehearsal.system.cgroups import Cgroup


@dataclass(frozen=True)
class Record:
    """A resource that stands: its type token and its inputs."""

    token: str
    inputs: Any


@dataclass(frozen=True)
class Settings:
    """What a region is started with. `cgroup`: the parent of the machines' control groups."""

    directory: Path
    image: Image
    cgroup: str
    name: str
    operator: ipaddress.IPv4Interface
    outsider: ipaddress.IPv4Interface


class Region:
    """Machines, disks, databases and balancers by the ids that the stand-ins gave them."""

    def __init__(self, settings: Settings) -> None:
        self.name = settings.name
        self.records: dict[str, Record] = {}
        self.machines: dict[str, Machine] = {}
        self.disks: dict[str, Disk] = {}
        self.databases: dict[str, Database] = {}
        self.balancers: dict[str, Balancer] = {}
        self.target_groups: dict[str, TargetGroup] = {}
        self._settings = settings
        self._directory = settings.directory
        for folder in ("machines", "disks", "snapshots", "logs"):
            (self._directory / folder).mkdir()
        self.network = Network(settings.operator, settings.outsider)
        self.services = ServicesRoot(self._directory / "services", [settings.image.services, settings.image.nodes])
        self.dns = NameServer(self.services, self._directory / "logs")
        self.ca = CertificateAuthority()

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
        """A machine that is not yet switched on; the user data reaches its cloud-init byte for byte."""
        host = Host(key[:13], tuple(ports))
        ethernets: dict[str, dict[str, Any]] = {
            port.interface: {
                "addresses": [f"{port.address}/{port.subnet.prefixlen}"],
                # no router advertises IPv6 here, and waiting for one takes 13 s
                "accept-ra": False,
                "link-local": [],
                # networkd 252 fails for good ("Nexthop has invalid gateway") when a link is away for a moment only
                "ignore-carrier": True,
            }
            for port in host.ports
        }
        ethernets[host.ports[0].interface] |= {
            "routes": [{"to": "default", "via": host.ports[0].gateway}],
            "nameservers": {"addresses": [RESOLVER]},
        }
        network = {"version": 2, "ethernets": ethernets}
        seed = {
            "meta-data": json.dumps(
                {"instance-id": key, "local-hostname": hostname, "public-keys": public_keys}
            ).encode(),
            "network-config": json.dumps(network).encode(),
            "user-data": user_data,
        }
        cgroup = Cgroup(f"{self._settings.cgroup}/{key}")
        machine = Machine(
            self._directory / "machines" / key,
            self._settings.image.nodes,
            name,
            hostname,
            seed,
            self.network,
            host,
            cgroup,
        )
        with (machine.root / "etc/ssl/certs/ca-certificates.crt").open("a") as trusted:
            trusted.write(self.ca.certificate)
        own = machine.root / "usr/local/share/ca-certificates/rehearsal.crt"
        own.write_text(self.ca.certificate)
        self.machines[key] = machine
        return machine

    def new_disk(self, key: str, size_gb: int) -> None:
        self.disks[key] = Disk(self._directory / "disks" / key, size_gb)

    def new_database(
        self, key: str, endpoint: str, hosts: list[Host], port: int, account: Account, settings: dict[str, str]
    ) -> None:
        self.databases[key] = Database(
            key,
            endpoint,
            hosts,
            port,
            account,
            settings,
            self.services,
            self.network,
            self.dns,
            self.ca,
            self._directory / "logs",
        )

    def new_capture(self, port: Port) -> Capture:
        return Capture(self.services, port, self._directory / "logs")

    def new_snapshot(self, name: str) -> Path:
        return self._directory / "snapshots" / f"{name}.sql"

    def new_balancer(self, key: str, name: str, host: Host) -> None:
        logs = self._directory / "logs"
        self.balancers[key] = Balancer(host.name, name, host, self.services, self.network, self.dns, self.ca, logs)

    def apply_balancers(self) -> None:
        for balancer in self.balancers.values():
            balancer.apply()
