"""The region: everything that the rehearsal has in the place of a cloud, in one process.

It is the first process of the rehearsal's namespaces: when it ends, however it ends, the kernel ends every machine,
mount, interface and rule with it. Its standard input is a pipe from whoever started it; the end of that pipe ends it.
"""

from __future__ import annotations

import ipaddress
import json
import os
import secrets
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from multiprocessing.managers import BaseManager
from pathlib import Path
from typing import Any

from rehearsal.authority import Authority
from rehearsal.balancer import Balancer, TargetGroup
from rehearsal.capture import Capture, Flow
from rehearsal.cgroups import Cgroup
from rehearsal.database import Account, Database
from rehearsal.disk import Disk
from rehearsal.existing import HandedOver, hand_over
from rehearsal.image import Image
from rehearsal.machine import Machine
from rehearsal.names import Names
from rehearsal.network import RESOLVER, Host, Network, Port
from rehearsal.service import ServicesRoot
from rehearsal.shell import run

KEEP = b"k"
"""Sent down the pipe: from now on its end means nothing."""


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
        self.names = Names(self.services, self._directory / "logs")
        self.authority = Authority()

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
            trusted.write(self.authority.certificate)
        own = machine.root / "usr/local/share/ca-certificates/rehearsal.crt"
        own.write_text(self.authority.certificate)
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
            self.names,
            self.authority,
            self._directory / "logs",
        )

    def new_capture(self, port: Port) -> Capture:
        return Capture(self.services, port, self._directory / "logs")

    def new_snapshot(self, name: str) -> Path:
        return self._directory / "snapshots" / f"{name}.sql"

    def new_balancer(self, key: str, name: str, host: Host) -> None:
        logs = self._directory / "logs"
        self.balancers[key] = Balancer(
            host.name, name, host, self.services, self.network, self.names, self.authority, logs
        )

    def apply_balancers(self) -> None:
        for balancer in self.balancers.values():
            balancer.apply()


class Faults:
    """What those who rehearse may do to a running region; machines go by the operator's names."""

    def __init__(self, region: Region) -> None:
        self._region = region
        self._captures: dict[tuple[str, str], Capture] = {}

    def hand_over(self, settings: dict[str, Any]) -> HandedOver:
        """Boot the machines that a stack's settings, as they stand in its file, say exist already."""
        return hand_over(self._region, settings)

    def machines(self) -> dict[str, bool]:
        """Every machine and whether it runs."""
        return {machine.name: machine.running for machine in self._region.machines.values()}

    def power_off(self, name: str) -> float:
        """Take a machine's power; returns the moment (`time.time`) at which its link went."""
        moment = time.time()
        self._machine(name).power_off()
        return moment

    def power_on(self, name: str) -> None:
        self._machine(name).power_on()

    def reboot(self, name: str) -> None:
        self._machine(name).reboot()

    def cut_link(self, name: str, interface: str) -> None:
        """Pull one cable of a machine that goes on running: it sees the carrier go."""
        self._region.network.cut(self._machine(name).host.port(interface))

    def restore_link(self, name: str, interface: str) -> None:
        self._region.network.restore(self._machine(name).host.port(interface))

    def start_capture(self, name: str, interface: str) -> None:
        """Note the TCP packets on one interface of a machine, until `stop_capture` or the loss of its power."""
        self._captures[name, interface] = self._region.new_capture(self._machine(name).host.port(interface))

    def stop_capture(self, name: str, interface: str) -> list[Flow]:
        """What passed since `start_capture`. Raises `ToolError` when a packet was missed or the power was lost."""
        return self._captures.pop((name, interface)).stop()

    def fail_over_database(self) -> float:
        moment = time.time()
        next(iter(self._region.databases.values())).fail_over()
        return moment

    def entering(self, name: str) -> list[str]:
        """The words to put before a command that shall run inside a machine."""
        return self._machine(name).entering()

    def beside(self, name: str) -> list[str]:
        """The words to put before a command that shall run at a host's place in the network, with this side's files:
        a machine's name, `balancer` or `database`.
        """
        return ["nsenter", f"--net={self._host(name).namespace}"]

    def tools(self) -> list[str]:
        """The words to put before a program of the services' own tree, wherever one is: a browser, say."""
        return ["chroot", str(self._region.services.root)]

    def address(self, name: str) -> str:
        return self._machine(name).host.address

    def point(self, name: str) -> None:
        """Point a name at the load balancer, as the owner of a domain does after the first `up`."""
        balancer = next(iter(self._region.balancers.values()))
        self._region.names.set(name, balancer.host.public)

    def reaches(self, source: str, target: str, port: int) -> bool:
        """Whether a host gets a TCP connection to another; each a machine's name, `balancer` or `database`."""
        attempt = ["timeout", "2", "bash", "-c", f"</dev/tcp/{self._host(target).address}/{port}"]
        done = subprocess.run([*self.beside(source), *attempt], check=False, capture_output=True)
        return done.returncode == 0

    def left_over(self) -> list[str]:
        """Ids of what the cloud still has and bills for."""
        return sorted(self._region.records)

    def _host(self, name: str) -> Host:
        if name == "balancer":
            return next(iter(self._region.balancers.values())).host
        if name == "database":
            return next(iter(self._region.databases.values())).active
        return self._machine(name).host

    def _machine(self, name: str) -> Machine:
        for machine in self._region.machines.values():
            if machine.name == name:
                return machine
        known = ", ".join(sorted(self.machines()))
        raise KeyError(f"no machine is called {name}; there are: {known}")


class Control(BaseManager):
    """The door to `Faults` for other processes of the rehearsal."""


Control.register("faults")


def own_namespaces() -> None:
    """Cover what of the host's still shows in new namespaces: /run, where network namespaces get their names."""
    run("mount", "-t", "tmpfs", "tmpfs", "/run")
    Path("/run/netns").mkdir()


def main() -> None:
    """Start a region from the settings in the file named by the first argument; end with standard input."""
    # they import this module
    from rehearsal.plugins import aws, command, digitalocean, random, tls  # noqa: PLC0415

    directory = Path(sys.argv[1])
    given = json.loads((directory / "region.json").read_text())
    own_namespaces()
    region = Region(
        Settings(
            directory, Image(Path(given["nodes"]), Path(given["services"])), given["cgroup"], given["name"],
            ipaddress.IPv4Interface(given["operator"]), ipaddress.IPv4Interface(given["outsider"]),
        )
    )  # fmt: skip
    resolver = directory / "resolv.conf"
    resolver.write_text(f"nameserver {RESOLVER}\n")
    hosts_own = Path("/etc/resolv.conf").resolve()
    if not hosts_own.exists():
        hosts_own.parent.mkdir(parents=True, exist_ok=True)
        hosts_own.touch()
    run("mount", "--bind", resolver, hosts_own)
    providers = [
        aws.provider(region), digitalocean.provider(region), command.provider(), random.provider(), tls.provider()
    ]  # fmt: skip
    ports = {provider.name: provider.serve() for provider in providers}
    key = secrets.token_bytes(32)
    faults = Faults(region)
    Control.register("faults", callable=lambda: faults)
    control = Control(str(directory / "control"), key)
    server = control.get_server()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    ready = {"providers": ports, "key": key.hex()}
    part = directory / "ready.part"
    part.touch(mode=0o600)
    part.write_text(json.dumps(ready))
    part.rename(directory / "ready.json")
    while os.read(0, 1) == KEEP:
        threading.Event().wait()
    os._exit(0)


if __name__ == "__main__":
    main()
