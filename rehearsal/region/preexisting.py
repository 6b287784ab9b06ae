"""Machines that exist before the stack does, for `cloud: existing`: plain Debian, booted and running.

Each has eth0 on a public LAN and eth1 on a private one, at the addresses in the stack's settings, and a spare disk
where they name one. With `web: apache` a web machine runs Apache with a site in /var/www. With `web: sessions` it has
a PHP application, and no web server yet.
"""

from __future__ import annotations

import ipaddress
import json
import shutil
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from pydantic import BaseModel

from rehearsal.project import PROJECT, REPOSITORY
from rehearsal.region.endpoint import Lan, gateway
from rehearsal.region.machine import Attachment
from rehearsal.region.region import Region
from rehearsal.region.sample_site import write_site

SPARE_GB = 8
BOOT_LIMIT = 180
"""Seconds until a machine accepts SSH; others boot beside it."""
WAIT_FOR_SSH = """\
cloud-init status --wait >/dev/null && systemctl is-active ssh && exit
tail -n 20 /var/log/cloud-init-output.log >&2
exit 1
"""
SESSIONS_APP = REPOSITORY / "tests" / "sessions-app"


class Node(BaseModel):
    """The settings of one machine that the boot depends on."""

    public: ipaddress.IPv4Address
    private: ipaddress.IPv4Address
    role: str | None = None
    user: str = "root"
    disk: str | None = None

    @property
    def serves(self) -> bool:
        """Whether it is a web machine."""
        return self.role in (None, "web")


class Networks(BaseModel):
    """The settings of the network that the boot depends on."""

    private: ipaddress.IPv4Network
    virtual_ip: ipaddress.IPv4Address | None = None


@dataclass(frozen=True)
class SshKeys:
    """Keys with which the operator logs in to the machines and verifies them."""

    private_key: str
    """Private key of the login user of every machine."""
    host_keys: dict[str, str]
    """Public host key of each node."""


class ExistingMachines:
    """The machines of a stack's settings, as its file holds them; construction makes their LANs.

    Raises `ValueError` when the addresses in the settings do not fit two LANs.
    """

    def __init__(self, region: Region, settings: Mapping[str, Any]) -> None:
        self._region = region
        self._nodes = {name: Node.model_validate(node) for name, node in settings[f"{PROJECT}:nodes"].items()}
        self._web = settings[f"{PROJECT}:web"]
        networks = Networks.model_validate(settings[f"{PROJECT}:network"])
        self._lans = public_and_private_lan(self._nodes, networks, region.network.outside)
        for lan in self._lans:
            region.network.new_lan(lan)
        self._login_private, self._login_public = new_key()

    def boot(self) -> SshKeys:
        """Boot all machines. Raises `ToolError` when one does not accept SSH within `BOOT_LIMIT`."""
        with ThreadPoolExecutor() as pool:
            keys = pool.map(partial(self._boot, with_site=True), self._nodes)
            host_keys = dict(zip(self._nodes, keys, strict=True))
        return SshKeys(self._login_private, host_keys)

    def replace(self, name: str) -> str:
        """Boot a new machine in the place of one, under its name and addresses, with an empty disk and no site.

        Returns its public host key. Raises `ToolError` when it does not accept SSH within `BOOT_LIMIT`.
        """
        self._region.machines.pop(f"existing{self._number(name)}").destroy()
        if self._nodes[name].disk:
            self._region.remove_disk(f"spare{self._number(name)}")
        return self._boot(name, with_site=False)

    def _number(self, name: str) -> int:
        return [*self._nodes].index(name) + 1

    def _boot(self, name: str, *, with_site: bool) -> str:
        """Boot one machine and wait until it accepts SSH; returns its public host key. `with_site`: in Apache's."""
        node, (public, private), network = self._nodes[name], self._lans, self._region.network
        host_private, host_public = new_key()
        packages = ["apache2"] if node.serves and self._web == "apache" else []
        machine = self._region.new_machine(
            f"existing{self._number(name)}",
            name=name,
            hostname=name,
            ports=[
                network.new_lan_port("eth0", public, str(node.public)),
                network.new_lan_port("eth1", private, str(node.private)),
            ],
            user_data=user_data(node.user, self._login_public, host_private, host_public, packages),
            public_keys=[],
        )
        if node.disk:
            spare = f"spare{self._number(name)}"
            self._region.new_disk(spare, SPARE_GB)
            machine.attach(Attachment(self._region.disks[spare], node.disk.removeprefix("/dev/")))
        if node.serves and self._web == "apache" and with_site:
            write_site(machine.root / "var/www")
        if node.serves and self._web == "sessions":
            shutil.copytree(SESSIONS_APP, machine.root / "var/www/html", dirs_exist_ok=True)
        machine.power_on()
        machine.enter("sh", "-c", WAIT_FOR_SSH, timeout=BOOT_LIMIT)
        return host_public


def public_and_private_lan(
    nodes: Mapping[str, Node], networks: Networks, outside: list[ipaddress.IPv4Network]
) -> tuple[Lan, Lan]:
    """Return the public LAN, a range of 256 addresses around the first node's, and the private one of the settings.

    `outside`: networks of the clients outside, which neither may overlap. Raises `ValueError` with every address that
    does not fit.
    """
    first = next(iter(nodes.values()))
    public = Lan("public", ipaddress.IPv4Network(f"{first.public}/24", strict=False), routed=True)
    private = Lan("private", networks.private, routed=False)
    errors = [
        f"{lan.subnet} is the operator's or the stranger's network; choose another range"
        for lan in (public, private)
        if any(lan.subnet.overlaps(network) for network in outside)
    ]
    addresses = {f"nodes.{name}.public": node.public for name, node in nodes.items()}
    if networks.virtual_ip:
        addresses["network.virtual_ip"] = networks.virtual_ip
    for key, address in addresses.items():
        if address not in public.subnet:
            errors.append(f"{key}: {address} is not in {public.subnet}, the network of the first node; choose another")
        if str(address) == gateway(public.subnet):
            errors.append(f"{key}: {address} is the router's own; choose another")
    errors += [
        f"nodes.{name}.private: {node.private} is not in {private.subnet}, the range of network.private; choose another"
        for name, node in nodes.items()
        if node.private not in private.subnet
    ]
    if errors:
        raise ValueError("these machines cannot be rehearsed:\n" + "\n".join(errors))
    return public, private


def new_key() -> tuple[str, str]:
    """Make an Ed25519 key pair: the private key and the public one, both in OpenSSH's format."""
    key = Ed25519PrivateKey.generate()
    return (
        key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()).decode(),
        key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode(),
    )


def user_data(user: str, login_key: str, host_private: str, host_public: str, packages: list[str]) -> bytes:
    """Return the cloud-init user data that a hosting company would boot the machine with.

    `login_key`: public key of `user`; `host_private`, `host_public`: the machine's own SSH keys.
    """
    content: dict[str, object] = {
        "locale": "C.UTF-8",
        "disable_root": False,
        "users": [
            {"name": user, "shell": "/bin/bash", "sudo": "ALL=(ALL) NOPASSWD:ALL", "ssh_authorized_keys": [login_key]}
        ],
        "ssh_keys": {"ed25519_private": host_private, "ed25519_public": host_public},
    }
    # cloud-init refuses an empty list
    if packages:
        content["packages"] = packages
    return f"#cloud-config\n{json.dumps(content)}".encode()
