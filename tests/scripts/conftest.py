"""Machines booted here for the steps, and the stages of a site on them, shared by the tests of a file.

Each file's tests run inside namespaces of their own: pytest starts itself again there. So
`pytest tests/scripts/test_gluster.py` and `pytest tests/scripts/test_gluster.py::test_…` need nothing else, and two
files may run at the same time.

A test takes the stage that it needs as a fixture (machines, nodes, glusterd, bricks, pool, volume, mounted) and leaves
it as it was, so that the tests of a file run in any order, and each of them alone.
"""

from __future__ import annotations

import ipaddress
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from components.cloud.aws.database import NAME
from components.machine import user_data
from rehearsal.region.database import Account, DatabaseSpec
from rehearsal.region.endpoint import Endpoint
from rehearsal.region.firewall import Group, Rule
from rehearsal.region.machine import Attachment
from rehearsal.region.outside_addresses import OutsideAddresses
from rehearsal.region.region import Region
from rehearsal.region.settings import RegionSettings
from rehearsal.server import mount_own_run
from rehearsal.session.sandbox import SCRIPT
from rehearsal.setup import cache, host, image, s3_server
from tests.scripts import params
from tests.scripts.node import Node

HERE = Path(__file__).parent
INSIDE = "HA_WORDPRESS_SCRIPTS"
"""Environment variable of a run inside the namespaces: the scratch directory and the image's two trees, with colons
between them.
"""

NODES = ("gfs1", "gfs2", "gfs3")
PASSWORD = "x7Kq4mBt9ZLw2vRd"
FOREIGN_CA = "impostor"
NO_TLS = "plain"

# no mirror has such a package: cloud-init reports an error and goes on to its end
FAILING_USER_DATA = b"#cloud-config\npackages: [no-such-package]\n"


def pytest_cmdline_main(config: pytest.Config) -> int | None:
    if INSIDE in os.environ or (os.geteuid() and "CI" not in os.environ):
        return None
    files = {Path(argument.split("::")[0]).resolve() for argument in config.args}
    if len(files) > 1 or not all(file.parent == HERE for file in files):
        raise pytest.UsageError("each file here has its own machines: run `make test-scripts`, or one file")
    try:
        host.ensure()
    except host.HostError as error:
        raise pytest.UsageError(str(error)) from error
    made = image.ensure()
    if any(file.name == "test_backup.py" for file in files):
        # no module can be downloaded inside
        s3_server.ensure()
    (cache.DIRECTORY / "run").mkdir(exist_ok=True)
    directory = Path(tempfile.mkdtemp(prefix="scripts-", dir=cache.DIRECTORY / "run"))
    directory.chmod(0o755)
    # the tests inside receive an interrupt too: they end, and sandbox.sh cleans up after them
    signal.signal(signal.SIGINT, lambda *_: None)
    return subprocess.run(
        [
            SCRIPT, directory, f"ha-wordpress-{directory.name}",
            sys.executable, "-m", "pytest", *config.invocation_params.args,
        ],
        check=False,
        env={**os.environ, INSIDE: f"{directory}:{made.nodes}:{made.services}"},
    ).returncode  # fmt: skip


@pytest.fixture(scope="session")
def region() -> Iterator[Region]:
    """A region with one security group, which lets everything through, and one certificate authority."""
    if INSIDE not in os.environ:
        pytest.skip("the steps are tested on machines booted here: run `pytest tests/scripts` as root")
    mount_own_run()
    directory, nodes, services = map(Path, os.environ[INSIDE].split(":"))
    region = Region(
        RegionSettings(
            directory=directory,
            image=image.Image(nodes, services),
            cgroup=f"ha-wordpress-{directory.name}",
            name="us-east-1",
            outside=OutsideAddresses(ipaddress.IPv4Interface("203.0.113.10/24")),
        )
    )
    anywhere = Rule("-1", 0, 0, ipaddress.IPv4Network("0.0.0.0/0"))
    region.network.groups["sg-all"] = Group({"in": anywhere}, {"out": anywhere})
    yield region
    for machine in region.machines.values():
        machine.destroy()


def boot(region: Region, name: str, zone: int, content: bytes, disk_gb: int) -> Node:
    """A machine with an empty data disk, which boots with this user data."""
    machine = region.new_machine(
        f"i-{name}",
        name=name,
        hostname=name,
        ports=[region.network.new_port("ens5", ipaddress.IPv4Network(f"10.20.{zone}.0/24"), ("sg-all",), public=True)],
        user_data=content,
        public_keys=[],
    )
    region.new_disk(f"vol-{name}", disk_gb)
    node = Node(name, machine)
    machine.attach(Attachment(region.disks[f"vol-{name}"], "nvme1n1", Path(node.disk).name))
    machine.power_on()
    return node


def wait_for_ssh(node: Node) -> None:
    # steps come over SSH, so none runs before its server is up
    node.eventually("systemctl", "is-active", "--quiet", "ssh", within=120)


@pytest.fixture(scope="session")
def machines(region: Region) -> dict[str, Node]:
    """Three machines, booted at the same time, with an empty data disk each."""
    key = Ed25519PrivateKey.generate()
    private = key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()).decode()
    public = key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()
    whole = user_data.render(["base", "gluster", "web", "varnish", "wordpress"], private, public).encode()
    made = {name: boot(region, name, zone, whole, 4) for zone, name in enumerate(NODES, 1)}
    for node in made.values():
        wait_for_ssh(node)
    return made


@pytest.fixture(scope="session")
def nodes(machines: dict[str, Node]) -> dict[str, Node]:
    """gfs1 to gfs3, ready, each in its own zone, with the names of all three in /etc/hosts."""
    named = params.hosts(machines)
    with ThreadPoolExecutor() as pool:
        list(pool.map(lambda node: node.step("machine/ready.sh"), machines.values()))
        list(pool.map(lambda node: node.step("machine/etc_hosts.sh", named), machines.values()))
    return machines


@pytest.fixture(scope="session")
def spare(region: Region, nodes: Mapping[str, Node]) -> Node:
    """A machine outside the pool, for steps that must fail, with the nodes' names in /etc/hosts.

    Its first boot reports an error. Its disk is small: a test reads all of it.
    """
    spare = boot(region, "spare", len(NODES) + 1, FAILING_USER_DATA, 1)
    wait_for_ssh(spare)
    spare.refuses("machine/ready.sh")
    spare.step("machine/etc_hosts.sh", params.hosts(nodes))
    return spare


@pytest.fixture(scope="session")
def filtered(nodes: Mapping[str, Node]) -> Mapping[str, Node]:
    """The nodes with their internal ports closed."""
    with ThreadPoolExecutor() as pool:
        list(pool.map(lambda node: node.step("firewall/firewall.sh", params.FIREWALL), nodes.values()))
    return nodes


@pytest.fixture(scope="session")
def authority() -> params.StorageAuthority:
    """The authority of the nodes' certificates."""
    return params.StorageAuthority.new()


@pytest.fixture(scope="session")
def glusterd(filtered: Mapping[str, Node], authority: params.StorageAuthority) -> Mapping[str, Node]:
    """The nodes with glusterd running, and with certificates of one authority."""
    with ThreadPoolExecutor() as pool:
        issued = {name: authority.issue(f"node-{name}") for name in filtered}
        list(pool.map(lambda node: node.step("gluster/certificate.sh", *issued[node.name]), filtered.values()))
        list(pool.map(lambda node: node.step("gluster/glusterd.sh", params.GLUSTERD), filtered.values()))
    return filtered


@pytest.fixture(scope="session")
def bricks(nodes: Mapping[str, Node]) -> Mapping[str, Node]:
    """The nodes with a brick each."""
    with ThreadPoolExecutor() as pool:
        list(pool.map(lambda node: node.step("gluster/brick.sh", params.brick(node.disk)), nodes.values()))
    return nodes


@pytest.fixture(scope="session")
def pool(glusterd: Mapping[str, Node]) -> Mapping[str, Node]:
    """The nodes as peers of one pool."""
    first, second, third = params.PEERS
    glusterd["gfs1"].step("gluster/peers.sh", params.peers(second, third))
    glusterd["gfs2"].step("gluster/peers.sh", params.peers(first))
    return glusterd


@pytest.fixture(scope="session")
def volume(pool: Mapping[str, Node], bricks: Mapping[str, Node]) -> Mapping[str, Node]:
    """The nodes with the volume `wp` started on their bricks."""
    assert pool is bricks
    pool["gfs1"].step("gluster/volume.sh", params.VOLUME)
    return pool


@pytest.fixture(scope="session")
def mounted(volume: Mapping[str, Node]) -> dict[str, Node]:
    """The nodes with the volume `wp` mounted at the document root."""
    for name, node in volume.items():
        node.step("gluster/mount.sh", params.mount(f"node-{name}"))
    return dict(volume)


@pytest.fixture(scope="session")
def databases(region: Region) -> dict[str, str]:
    """Database servers' host names: `wordpress`, one with another certificate authority, and one without TLS."""
    own = region.ca
    for name, settings in {
        NAME: {"require_secure_transport": "1"},
        FOREIGN_CA: {"require_secure_transport": "1"},
        NO_TLS: {"ssl": "0"},
    }.items():
        if name == FOREIGN_CA:
            region.ca = type(own)()
        port = region.network.new_port("eth0", ipaddress.IPv4Network("10.20.9.0/24"), ("sg-all",))
        region.new_database(
            name,
            DatabaseSpec(
                name=f"{name}.example.com",
                endpoints=[Endpoint(f"db-{name}", (port,))],
                port=3306,
                account=Account(NAME, NAME, PASSWORD),
                variables=settings,
            ),
        )
        region.ca = own
    return {name: database.name for name, database in region.databases.items()}
