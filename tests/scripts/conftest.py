"""Real machines for the steps to run on.

The tests run inside namespaces of their own: pytest starts itself again there, so that `pytest tests/scripts` is all.
"""

from __future__ import annotations

import ipaddress
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from components import user_data
from components.remote import assignments, command_text
from rehearsal import cache, host, image
from rehearsal.lab import SCRIPT
from rehearsal.machine import Attachment, Machine
from rehearsal.network import Group, Rule
from rehearsal.region import Region, Settings, own_namespaces
from rehearsal.shell import ToolError

INSIDE = "HA_WORDPRESS_SCRIPTS"
CGROUP = "ha-wordpress-scripts"
COMPONENTS = Path(__file__).parents[2] / "components"
PARTS = ["base", "gluster", "web", "wordpress"]


def pytest_cmdline_main(config: pytest.Config) -> int | None:
    if INSIDE in os.environ or (os.geteuid() and "CI" not in os.environ):
        return None
    host.ensure()
    image.ensure()
    directory = cache.DIRECTORY / "run" / "scripts"
    again = [
        str(SCRIPT),
        str(directory),
        CGROUP,
        sys.executable,
        "-m",
        "pytest",
        *map(str, config.invocation_params.args),
    ]
    return subprocess.run(again, check=False, env={**os.environ, INSIDE: str(directory)}).returncode


class Node:
    """A machine that steps run on the way `components.remote` runs them."""

    def __init__(self, name: str, machine: Machine) -> None:
        self.name, self.machine = name, machine
        self.address = machine.port.address

    def run(self, *command: str, timeout: float = 120) -> str:
        return self.machine.enter(*command, timeout=timeout)

    def step(
        self,
        script: str,
        params: Mapping[str, str] | None = None,
        secrets: Mapping[str, str] | None = None,
        timeout: int = 120,
    ) -> str:
        """Run a script of components/ (its path there); raises `ToolError` with what it said when it fails."""
        text = command_text(COMPONENTS / script, params or {}, timeout)
        return self.machine.enter("bash", "-c", text, stdin=assignments(secrets or {}), timeout=timeout + 30)

    def refuses(
        self, script: str, params: Mapping[str, str] | None = None, secrets: Mapping[str, str] | None = None
    ) -> str:
        """Run a script that has to fail; returns what it said."""
        with pytest.raises(ToolError) as refusal:
            self.step(script, params, secrets)
        return str(refusal.value)


@pytest.fixture(scope="session")
def region() -> Iterator[Region]:
    if INSIDE not in os.environ:
        pytest.skip("steps are tested on machines booted here: run as root")
    own_namespaces()
    directory = Path(os.environ[INSIDE])
    directory.mkdir(parents=True)
    region = Region(
        Settings(
            directory, image.ensure(), CGROUP, "us-east-1",
            ipaddress.IPv4Interface("203.0.113.10/24"), ipaddress.IPv4Interface("192.0.2.10/24"),
        )
    )  # fmt: skip
    anywhere = Rule("-1", 0, 0, "0.0.0.0/0")
    region.network.groups["sg-all"] = Group({"in": anywhere}, {"out": anywhere})
    yield region
    for machine in region.machines.values():
        machine.destroy()


@pytest.fixture(scope="session")
def boot(region: Region) -> object:
    """Boots a machine with a data disk: `boot("gfs1", zone number)`."""

    def boot(name: str, zone: int) -> Node:
        key = Ed25519PrivateKey.generate()
        private = key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()).decode()
        public = key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()
        machine = region.new_machine(
            f"i-{name}",
            name=name,
            subnet=ipaddress.IPv4Network(f"10.20.{zone}.0/24"),
            groups=("sg-all",),
            public=True,
            user_data=user_data.render(PARTS, private, public).encode(),
            public_keys=[],
        )
        machine.power_on()
        region.new_disk(f"vol-{name}", 4)
        machine.attach(Attachment(region.disks[f"vol-{name}"], "nvme1n1", f"nvme-Amazon_Elastic_Block_Store_vol{name}"))
        return Node(name, machine)

    return boot


@pytest.fixture(scope="session")
def nodes(boot: object) -> dict[str, Node]:
    """gfs1 to gfs3, each in a zone of its own, with a data disk, cloud-init done."""
    made = {name: boot(name, zone) for zone, name in enumerate(("gfs1", "gfs2", "gfs3"), 1)}  # type: ignore[operator]
    with ThreadPoolExecutor() as pool:
        list(pool.map(lambda node: node.step("ready.sh"), made.values()))
    return made
