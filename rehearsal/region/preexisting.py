"""Machines that exist before the stack does, for `cloud: existing`: plain Debian, switched on and running.

Each has eth0 on a public and eth1 on a private plain network, at the addresses that the stack's settings say, a spare
disk where they name one, and what a site's servers already run: for `web: apache` Apache with a site in /var/www, for
`web: sessions` a PHP application that no server runs yet.
"""

from __future__ import annotations

import ipaddress
import json
import os
import random
import shutil
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from pydantic import BaseModel

from rehearsal.project import PROJECT, REPOSITORY
from rehearsal.region.machine import Attachment, Machine
from rehearsal.region.network import Plain, gateway
from rehearsal.region.region import Region

SPARE_GB = 8
BOOT_LIMIT = 180
"""Seconds until a machine has come up, on a host that is busy with others."""
CAME_UP = """\
cloud-init status --wait >/dev/null && systemctl is-active ssh && exit
tail -n 20 /var/log/cloud-init-output.log >&2
exit 1
"""
SESSIONS_APP = REPOSITORY / "tests" / "sessions-app"
WWW_DATA = 33
"""Debian's fixed user and group of web servers (base-passwd)."""


class Node(BaseModel):
    """What the settings say of one machine."""

    public: ipaddress.IPv4Address
    private: ipaddress.IPv4Address
    role: str | None = None
    user: str = "root"
    disk: str | None = None

    @property
    def serves(self) -> bool:
        return self.role in (None, "web")


class Networks(BaseModel):
    private: ipaddress.IPv4Network
    virtual_ip: ipaddress.IPv4Address | None = None


@dataclass(frozen=True)
class HandedOver:
    """The way in. `private_key`: of every machine's login user; `host_keys`: the machines' public ones, by node."""

    private_key: str
    host_keys: dict[str, str]


def hand_over(region: Region, settings: Mapping[str, Any]) -> HandedOver:
    """Boot the machines of a stack's settings, as they stand in its file, and wait until each can be logged in to.

    Raises `ValueError` when their addresses cannot be had on two plain networks.
    """
    nodes = {name: Node.model_validate(node) for name, node in settings[f"{PROJECT}:nodes"].items()}
    networks = Networks.model_validate(settings[f"{PROJECT}:network"])
    public, private = plain_networks(nodes, networks, region.network.outside)
    for plain in (public, private):
        region.network.new_plain(plain)
    login, login_key = new_key()
    host_keys = {}
    machines = []
    for number, (name, node) in enumerate(nodes.items(), 1):
        host_private, host_keys[name] = new_key()
        packages = ["apache2"] if node.serves and settings[f"{PROJECT}:web"] == "apache" else []
        machine = region.new_machine(
            f"existing{number}",
            name=name,
            hostname=name,
            ports=[
                region.network.new_plain_port("eth0", public, str(node.public)),
                region.network.new_plain_port("eth1", private, str(node.private)),
            ],
            user_data=user_data(node.user, login_key, host_private, host_keys[name], packages),
            public_keys=[],
        )
        if node.disk:
            region.new_disk(f"spare{number}", SPARE_GB)
            machine.attach(Attachment(region.disks[f"spare{number}"], node.disk.removeprefix("/dev/")))
        if node.serves and settings[f"{PROJECT}:web"] == "apache":
            write_site(machine.root / "var/www")
        if node.serves and settings[f"{PROJECT}:web"] == "sessions":
            shutil.copytree(SESSIONS_APP, machine.root / "var/www/html", dirs_exist_ok=True)
        machine.power_on()
        machines.append(machine)
    with ThreadPoolExecutor() as pool:
        list(pool.map(came_up, machines))
    return HandedOver(login, host_keys)


def plain_networks(
    nodes: Mapping[str, Node], networks: Networks, outside: list[ipaddress.IPv4Network]
) -> tuple[Plain, Plain]:
    """The public network, 256 addresses around the machines' own, and the private one; `outside`: what neither may be.

    Raises `ValueError` with all that speaks against it.
    """
    public = Plain(
        "public", ipaddress.IPv4Network(f"{next(iter(nodes.values())).public}/24", strict=False), routed=True
    )
    private = Plain("private", networks.private, routed=False)
    faults = [
        f"{plain.subnet} is the operator's or the stranger's network; choose another range"
        for plain in (public, private)
        if any(plain.subnet.overlaps(network) for network in outside)
    ]
    addresses = {f"nodes.{name}.public": node.public for name, node in nodes.items()}
    if networks.virtual_ip:
        addresses["network.virtual_ip"] = networks.virtual_ip
    for key, address in addresses.items():
        if address not in public.subnet:
            faults.append(f"{key}: {address} is not in {public.subnet}, the network of the first node")
        if str(address) == gateway(public.subnet):
            faults.append(f"{key}: {address} is the router's own; choose another")
    faults += [
        f"nodes.{name}.private: {node.private} is not in {private.subnet}"
        for name, node in nodes.items()
        if node.private not in private.subnet
    ]
    if faults:
        raise ValueError("these machines cannot be rehearsed:\n" + "\n".join(faults))
    return public, private


def new_key() -> tuple[str, str]:
    """A private key in OpenSSH's form, and its public one."""
    key = Ed25519PrivateKey.generate()
    return (
        key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()).decode(),
        key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode(),
    )


def user_data(user: str, login_key: str, host_private: str, host_public: str, packages: list[str]) -> bytes:
    """What the machine's landlord told it."""
    output = {
        "locale": "C.UTF-8",
        "disable_root": False,
        "users": [
            {"name": user, "shell": "/bin/bash", "sudo": "ALL=(ALL) NOPASSWD:ALL", "ssh_authorized_keys": [login_key]}
        ],
        "ssh_keys": {"ed25519_private": host_private, "ed25519_public": host_public},
        "packages": packages,
    }
    return f"#cloud-config\n{json.dumps(output)}".encode()


def came_up(machine: Machine) -> None:
    machine.enter("sh", "-c", CAME_UP, timeout=BOOT_LIMIT)


def write_site(www: Path) -> None:
    """A site with all that a copy can lose: the same on each machine, as its owner has kept it so far."""
    chance = random.Random("a site")
    html = www / "html"
    html.mkdir(parents=True, exist_ok=True)
    (html / "index.html").write_text("<!DOCTYPE html><title>A site</title><h1>It was here before</h1>\n")
    (html / "film.bin").write_bytes(chance.randbytes(1 << 20))
    modes = (0o644, 0o600, 0o640, 0o444, 0o755, 0o664, 0o2755)
    owners = ((0, 0), (WWW_DATA, WWW_DATA), (1234, 100))
    for number in range(300):
        file = html / f"pages {number % 10}" / f"page-{number}.html"
        file.parent.mkdir(exist_ok=True)
        file.write_bytes(b"<p>" + chance.randbytes(chance.randrange(2000)).hex().encode())
        # the owner first: chown(2) takes the set-group-ID bit away
        os.chown(file, *owners[number % len(owners)])
        file.chmod(modes[number % len(modes)])
        os.utime(file, ns=(0, 1_500_000_000_123_456_789 + number))
    for name in ("-leading dash", "ümlaut", "quote'\"", "two\nlines", ".hidden"):
        (html / name).write_text(name)
    shared = html / "shared"
    shared.mkdir()
    os.chown(shared, WWW_DATA, WWW_DATA)
    shared.chmod(0o2775)
    (html / "empty").mkdir()
    (html / "hard-link").hardlink_to(html / "film.bin")
    (html / "relative").symlink_to("pages 1/page-1.html")
    (html / "absolute").symlink_to("/var/www/html/index.html")
    (html / "dangling").symlink_to("nowhere")
    os.setxattr(html / "film.bin", "user.origin", b"a camera")
