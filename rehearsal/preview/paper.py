"""A paper region: the records, ids, addresses and outputs of a region, and no machine, disk, network or process.

The stand-ins check and refuse on it what they check and refuse on a real one. It needs no root and no namespaces.
"""

from __future__ import annotations

import ipaddress
import itertools
import threading
from collections.abc import Sequence

from rehearsal.plugins import aws, command, digitalocean, random, tls
from rehearsal.plugins.protocol import Properties, Provider
from rehearsal.preview import paper_types
from rehearsal.region.ca import Certificate, CertificateAuthority
from rehearsal.region.database import Database, DatabaseSpec
from rehearsal.region.disk import Disk
from rehearsal.region.dns import NameServer
from rehearsal.region.endpoint import Endpoint, Port
from rehearsal.region.load_balancer import LoadBalancer
from rehearsal.region.machine import Attachment, Machine
from rehearsal.region.network import PUBLIC, Network
from rehearsal.region.object_storage import Address, ObjectStorage, Statement
from rehearsal.region.region import Region


class PaperNetwork(Network):
    """Hands out addresses; no router enforces its security groups."""

    def __init__(self) -> None:
        self.groups = {}
        self._free: dict[ipaddress.IPv4Network, itertools.count[int]] = {}
        self._free_lock = threading.Lock()

    def new_port(
        self, interface: str, subnet: ipaddress.IPv4Network, groups: tuple[str, ...], *, public: bool = False
    ) -> Port:
        return Port("", interface, self._next(subnet), subnet, groups, self.new_public_address() if public else None)

    def new_public_port(self, interface: str, groups: tuple[str, ...] | None) -> Port:
        address = self.new_public_address()
        return Port("", interface, address, PUBLIC, groups, address)

    def new_public_address(self) -> str:
        return self._next(PUBLIC)

    def cut(self, *ports: Port) -> None: ...

    def apply(self) -> None: ...

    def _next(self, subnet: ipaddress.IPv4Network) -> str:
        with self._free_lock:
            return str(subnet.network_address + next(self._free.setdefault(subnet, itertools.count(4))))


class PaperNameServer(NameServer):
    def __init__(self) -> None: ...

    def set(self, name: str, address: str | None) -> None: ...


class PaperMachine(Machine):
    def __init__(self, name: str, endpoint: Endpoint) -> None:
        self.name, self.endpoint = name, endpoint
        self.attachments = []
        self._process = None

    def write_seed(self, seed: dict[str, bytes]) -> None: ...

    def power_on(self) -> None: ...

    def power_off(self) -> None: ...

    def shut_down(self) -> None: ...

    def destroy(self) -> None: ...

    def attach(self, attachment: Attachment) -> None:
        self.attachments.append(attachment)

    def detach(self, disk: Disk) -> None:
        self.attachments = [attachment for attachment in self.attachments if attachment.disk is not disk]


class PaperDisk(Disk):
    def __init__(self) -> None: ...

    def close(self) -> None: ...


class PaperDatabase(Database):
    def __init__(self, endpoints: list[Endpoint]) -> None:
        self.endpoints = endpoints

    def execute(self, statements: str) -> None: ...


class PaperBalancer(LoadBalancer):
    def __init__(self, name: str, endpoint: Endpoint) -> None:
        self.name, self.endpoint = name, endpoint
        self.listeners, self.groups = {}, {}

    def apply(self) -> None: ...


class PaperObjectStorage(ObjectStorage):
    def __init__(self) -> None: ...

    def new_bucket(self, name: str) -> None: ...

    def set_versioning(self, bucket: str, status: str) -> None: ...

    def permit(self, bucket: str, statements: Sequence[Statement]) -> None: ...


class PaperRegion(Region):
    """A region that keeps records only. `name`: the cloud's region, which ARNs and host names contain.

    It supports no deletion of a load balancer, a database or a bucket, because a preview deletes nothing.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.records, self.machines, self.disks = {}, {}, {}
        self.databases, self.balancers, self.target_groups = {}, {}, {}
        self.addresses, self.certificates, self.roles = {}, {}, {}
        self.network, self.dns = PaperNetwork(), PaperNameServer()
        self.ca = CertificateAuthority()

    def new_machine(
        self, key: str, *, name: str, hostname: str, ports: Sequence[Port], user_data: bytes, public_keys: list[str]
    ) -> Machine:
        machine = self.machines[key] = PaperMachine(name, Endpoint(key[:13], tuple(ports)))
        return machine

    def new_disk(self, key: str, size_gb: int) -> None:
        self.disks[key] = PaperDisk()

    def new_database(self, key: str, spec: DatabaseSpec) -> None:
        self.databases[key] = PaperDatabase(spec.endpoints)

    def new_balancer(self, key: str, name: str, endpoint: Endpoint) -> None:
        self.balancers[key] = PaperBalancer(name, endpoint)

    def object_storage(self, address: Address) -> ObjectStorage:
        return PaperObjectStorage()

    def set_role(self, key: str, role: str | None) -> None: ...

    def certificate(self, key: str) -> Certificate | None:
        """A certificate of the stack, or else the operator's own one."""
        return self.certificates.get(key) or (Certificate([], issued=True) if key else None)


class PaperCommand(command.Command):
    """A step that runs nowhere and prints nothing."""

    def run(self, inputs: command.CommandInputs, text: str | None) -> Properties:
        return {"stdout": "", "stderr": ""}


class PaperCopy(command.CopyToRemote):
    """A file that is copied nowhere."""

    async def _copy(self, inputs: command.CopyToRemoteInputs) -> None: ...


def providers(region: PaperRegion) -> list[Provider]:
    """The stand-ins on a paper region, with the resource types that exist on paper only."""
    amazon, ocean = aws.provider(region), digitalocean.provider(region)
    amazon.resource_types |= {resource_type.token: resource_type(region) for resource_type in paper_types.AWS}
    ocean.resource_types |= {resource_type.token: resource_type(region) for resource_type in paper_types.DIGITALOCEAN}
    return [amazon, ocean, Provider("command", [PaperCommand(), PaperCopy()]), random.provider(), tls.provider()]
