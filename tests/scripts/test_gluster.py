"""The steps of gluster/, from glusterd to the mount."""

from __future__ import annotations

import hashlib
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from components.config.settings import GLUSTERD_PORT, Gluster
from rehearsal.drills.reachability import STRANGER, reaches
from rehearsal.region.region import Region
from tests.scripts import params
from tests.scripts.conftest import NODES
from tests.scripts.node import Node
from tests.scripts.params import BRICK_MOUNT as MOUNT

GONE = "/mnt/gone"
HITS, CACHE, METADATA = 5514, 8080, "169.254.169.254"
AS_WWW_DATA = ("setpriv", "--reuid", "www-data", "--regid", "www-data", "--clear-groups")
ATTRIBUTE_TIMEOUT = 10
"""Seconds for which a mount may remember that a file does not exist."""


@pytest.fixture(scope="module")
def disk_that_never_comes(spare: Node) -> Iterator[Future[str]]:
    """The output of brick.sh for a disk that is not there. The step waits for 90 s; other tests run meanwhile."""
    with ThreadPoolExecutor() as executor:
        yield executor.submit(spare.refuses, "gluster/brick.sh", params.brick("/dev/disk/by-id/nvme-none"))


@pytest.fixture(scope="module")
def pool_that_never_answers(spare: Node) -> Iterator[Future[str]]:
    """The output of rejoin.sh where no other node answers. The step waits for 120 s; other tests run meanwhile."""
    with ThreadPoolExecutor() as executor:
        yield executor.submit(spare.refuses, "gluster/rejoin.sh", params.rejoin("node-gfs1"))


@pytest.fixture
def site(mounted: dict[str, Node]) -> Iterator[dict[str, Node]]:
    """The nodes with the volume mounted; after the test every peer, brick and mount must come back."""
    yield mounted
    peers = "[ $(gluster --mode=script peer status | grep -cF '(Connected)') = 2 ]"
    for node in mounted.values():
        node.eventually("sh", "-c", peers, within=120)
        node.eventually("pgrep", "-x", "glusterfsd", within=120)
        node.eventually("timeout", "5", "stat", params.ROOT, within=120)


@pytest.mark.usefixtures("disk_that_never_comes", "pool_that_never_answers")
def test_glusterd_runs_with_narrowed_ports(glusterd: Mapping[str, Node]) -> None:
    node = glusterd["gfs1"]
    volfile = node.run("cat", "/etc/glusterfs/glusterd.vol")
    assert re.findall(r"^ *option (?:base|max)-port .*", volfile, re.MULTILINE) == [
        "    option base-port 49152",
        "    option max-port 49251",
    ]
    assert node.run("systemctl", "is-enabled", "glusterd").strip() == "enabled"
    node.run("bash", "-c", "</dev/tcp/127.0.0.1/24007")
    assert node.run("sysctl", "--values", "net.ipv4.tcp_syn_retries") == "3\n"
    node.again("gluster/glusterd.sh", params.GLUSTERD)


def test_geo_replications_program_is_put_away_unless_it_is_in_use(glusterd: Mapping[str, Node]) -> None:
    node = glusterd["gfs2"]
    file = node.run("sh", "-c", "echo /usr/lib/*-linux-gnu/glusterfs/gsyncd.unused").strip().removesuffix(".unused")
    assert node.run("dpkg-divert", "--listpackage", file) == "LOCAL\n"
    session = "/var/lib/glusterd/geo-replication/wp_backup_wp"
    node.run("mkdir", "-p", session)
    node.run("dpkg-divert", "--quiet", "--local", "--rename", "--remove", file)
    try:
        node.step("gluster/glusterd.sh", params.GLUSTERD)
        node.run("test", "-x", file)
    finally:
        node.run("rmdir", session)
        node.step("gluster/glusterd.sh", params.GLUSTERD)
    node.run("test", "!", "-e", file)


def test_brick_is_on_xfs_of_its_own(bricks: Mapping[str, Node]) -> None:
    node = bricks["gfs1"]
    uuid = node.run("blkid", "--probe", "--match-tag", "UUID", "--output", "value", node.disk).strip()
    assert node.run("findmnt", "--noheadings", "--output", "UUID,FSTYPE", MOUNT).split() == [uuid, "xfs"]
    assert "isize=512" in node.run("xfs_info", MOUNT)
    assert node.run("findmnt", "--noheadings", "--output", "TARGET", "--target", MOUNT).strip() == MOUNT
    fstab = [line.split() for line in node.run("cat", "/etc/fstab").splitlines()]
    assert [line[0] for line in fstab if MOUNT in line] == [f"UUID={uuid}"]
    node.run("sh", "-c", f"echo kept >{MOUNT}/kept")
    node.again("gluster/brick.sh", params.brick(node.disk))
    assert node.run("cat", f"{MOUNT}/kept") == "kept\n"
    node.run("rm", f"{MOUNT}/kept")


@pytest.fixture
def spare_brick(spare: Node) -> Iterator[Node]:
    """The spare with a brick on its disk, until the test's end."""
    spare.run("wipefs", "--quiet", "--all", spare.disk)
    spare.step("gluster/brick.sh", params.brick(spare.disk))
    yield spare
    spare.run("bash", "-c", f"umount {MOUNT}; chattr -i {MOUNT}; rmdir {MOUNT}; wipefs --quiet --all {spare.disk}")
    spare.run("sed", "-i", f"\\# {MOUNT} #d", "/etc/fstab")
    spare.run("systemctl", "daemon-reload")


def test_brick_mountpoint_takes_nothing_while_the_disk_is_away(spare_brick: Node) -> None:
    spare_brick.run("umount", MOUNT)
    assert "Operation not permitted" in spare_brick.run("sh", "-c", f"touch {MOUNT}/file 2>&1 || true")
    spare_brick.step("gluster/brick.sh", params.brick(spare_brick.disk))
    spare_brick.run("touch", f"{MOUNT}/file")


@pytest.mark.parametrize(
    ("make", "found"),
    [
        (["mkfs.xfs", "-q", "-L", "photos"], "xfs photos"),
        (["sfdisk", "--quiet"], "dos"),
    ],
)
def test_brick_leaves_a_disk_with_a_foreign_signature_alone(
    spare: Node, region: Region, make: list[str], found: str
) -> None:
    spare.run("wipefs", "--quiet", "--all", spare.disk)
    spare.run(*make, spare.disk, stdin=",,\n")
    before, state = content(spare, region), spare.state()
    output = spare.refuses("gluster/brick.sh", params.brick(spare.disk))
    assert "Nothing was changed" in output
    assert found.split() == output.split("it holds ")[1].splitlines()[0].rstrip(".").split()
    assert content(spare, region) == before
    assert spare.state() == state


def content(node: Node, region: Region) -> str:
    """The checksum of a node's whole disk."""
    node.run("sync")
    with region.disks[f"vol-{node.name}"].file.open("rb") as disk:
        return hashlib.file_digest(disk, "sha256").hexdigest()


def test_peers_know_each_other_by_name(pool: Mapping[str, Node]) -> None:
    first, second, third = params.PEERS
    for own, node in pool.items():
        output = node.run("gluster", "--mode=script", "peer", "status")
        assert sorted(re.findall(r"^Hostname: (.*)", output, re.MULTILINE)) == [
            f"node-{name}" for name in NODES if name != own
        ]
        assert output.count("State: Peer in Cluster (Connected)") == 2
    pool["gfs1"].again("gluster/peers.sh", params.peers(second, third))
    pool["gfs2"].again("gluster/peers.sh", params.peers(first))


def test_peers_name_the_one_that_does_not_answer(pool: Mapping[str, Node], spare: Node) -> None:
    node = pool["gfs1"]
    before = node.run("gluster", "--mode=script", "pool", "list")
    # no glusterd runs there
    node.run("sh", "-c", f"echo '{spare.address} node-gfs4' >>/etc/hosts")
    try:
        assert "node-gfs4" in node.refuses("gluster/peers.sh", params.peers("node-gfs4") | {"OTHERS": "3"})
    finally:
        node.run("sed", "-i", "/ node-gfs4$/d", "/etc/hosts")
    assert node.run("gluster", "--mode=script", "pool", "list") == before


def test_volume_is_started_with_its_options_and_every_brick(volume: Mapping[str, Node]) -> None:
    node = volume["gfs1"]
    info = volume["gfs3"].run("gluster", "--mode=script", "volume", "info", "wp")
    assert "Status: Started" in info
    assert "Number of Bricks: 1 x 3 = 3" in info
    assert re.findall(r"^Brick\d: (.*)", info, re.MULTILINE) == params.VOLUME["BRICKS"].split()
    for option in (params.VOLUME["OPTIONS"] + "\n" + params.VOLUME["METADATA_CACHE"]).splitlines():
        assert f"\n{option.replace(' ', ': ', 1)}\n" in f"{info}\n"
    ports = re.findall(r"--brick-port (\d+)", "".join(each.run("ps", "-ww", "-eo", "args") for each in volume.values()))
    assert len(ports) == 3
    assert all(params.PORTS.first <= int(port) <= params.PORTS.last for port in ports)
    node.again("gluster/volume.sh", params.VOLUME)


# Asks glusterd or a brick for its programs (GF-DUMP, which needs no login): over plain TCP, over TLS without a
# certificate, or with the one in /root. Prints the protocol if an answer arrives.
ASK = """
import socket, ssl, struct, sys
address, port, kind = sys.argv[1], int(sys.argv[2]), sys.argv[3]
call = struct.pack(">10IQ", 1, 0, 2, 123451501, 1, 1, 0, 0, 0, 0, 0)
connection = socket.create_connection((address, port), timeout=5)
if kind != "plain":
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.load_verify_locations("/root/ca.pem")
    if kind == "certificate":
        context.load_cert_chain("/root/own.pem", "/root/own.key")
    connection = context.wrap_socket(connection)
try:
    connection.sendall(struct.pack(">I", 1 << 31 | len(call)) + call)
    answer = connection.recv(100)
except OSError:
    answer = b""
print(kind == "plain" or connection.version() if answer else "no answer")
"""


def test_traffic_of_storage_is_encrypted_and_authenticated(
    volume: Mapping[str, Node], authority: params.StorageAuthority, spare: Node
) -> None:
    node = volume["gfs1"]
    assert node.run("stat", "--format", "%a %U", "/etc/ssl/glusterfs.key") == "600 root\n"
    for port in (GLUSTERD_PORT, brick_port(node)):

        def ask(kind: str, issuer: params.StorageAuthority = authority, port: int = port) -> str:
            shown, secret = issuer.issue("node-spare")
            for file, text in {"own.pem": shown["CERTIFICATE"], "own.key": secret["KEY"]}.items():
                spare.run("tee", f"/root/{file}", stdin=text)
            spare.run("tee", "/root/ca.pem", stdin=authority.certificate)
            return spare.run("python3", "-c", ASK, node.address, str(port), kind).strip()

        assert ask("certificate") == "TLSv1.3"
        assert ask("certificate", params.StorageAuthority.new()) == "no answer"
        assert ask("no certificate") == "no answer"
        assert ask("plain") == "no answer"
    # its clients, too, have to speak TLS
    summary = node.run("gluster", "--mode=script", "volume", "heal", "wp", "info", "summary")
    assert summary.count("Status: Connected") == len(NODES)


def test_a_volume_made_without_tls_stays_as_it_is(
    volume: Mapping[str, Node], authority: params.StorageAuthority
) -> None:
    node = volume["gfs1"]
    brick = f"node-gfs1:{MOUNT}/unencrypted"
    plain = {"VOLUME": "unencrypted", "REPLICA": "", "BRICKS": brick, "OPTIONS": "cluster.heal-timeout 10"}
    node.step("gluster/volume.sh", plain | {"METADATA_CACHE": "", "TLS": ""})
    node.again("gluster/volume.sh", plain | {"METADATA_CACHE": "", "TLS": params.VOLUME["TLS"]})
    node.run("gluster", "--mode=script", "volume", "stop", "unencrypted")
    node.run("gluster", "--mode=script", "volume", "delete", "unencrypted")
    node.run("rm", "-rf", f"{MOUNT}/unencrypted")


def test_a_pool_made_without_tls_stays_as_it_is(volume: Mapping[str, Node], authority: params.StorageAuthority) -> None:
    node = volume["gfs1"]
    enabled = "/var/lib/glusterd/secure-access"
    node.run("mv", enabled, "/root/secure-access")
    try:
        output = node.step_output("gluster/certificate.sh", *authority.issue("node-gfs1"))
        assert "storage traffic stays unencrypted" in output
        node.run("test", "!", "-e", enabled)
    finally:
        node.run("mv", "/root/secure-access", enabled)


def test_volume_sets_back_an_option_without_a_restart(volume: Mapping[str, Node]) -> None:
    node = volume["gfs1"]
    bricks = node.run("pgrep", "-x", "glusterfsd")
    node.run("gluster", "--mode=script", "volume", "set", "wp", "network.ping-timeout", "42")
    node.step("gluster/volume.sh", params.VOLUME)
    assert "network.ping-timeout: 3\n" in node.run("gluster", "--mode=script", "volume", "info", "wp")
    assert node.run("pgrep", "-x", "glusterfsd") == bricks


OLD_VERSION = """#!/bin/sh
case " $* " in *" --version "*) echo "glusterfs 10.3"; exit ;; esac
exec /usr/sbin/gluster "$@"
"""


def test_metadata_is_cached_only_by_a_version_whose_bricks_bear_it(volume: Mapping[str, Node]) -> None:
    node = volume["gfs1"]
    name = "features.cache-invalidation"
    get = ("sh", "-c", f"gluster --mode=script volume get wp {name} | awk '$1 == \"{name}\" {{ print $2 }}'")
    node.run("gluster", "--mode=script", "volume", "reset", "wp", name)
    node.run("install", "--mode=755", "/dev/stdin", "/usr/local/sbin/gluster", stdin=OLD_VERSION)
    try:
        node.step("gluster/volume.sh", params.VOLUME)
        assert node.run(*get).split()[0] == "off"
    finally:
        node.run("rm", "/usr/local/sbin/gluster")
    node.step("gluster/volume.sh", params.VOLUME)
    assert node.run(*get).split()[0] == "on"


def test_volume_is_not_made_over_bricks_of_another(volume: Mapping[str, Node]) -> None:
    node = volume["gfs1"]
    output = node.refuses("gluster/volume.sh", params.VOLUME | {"VOLUME": "other"})
    assert "may be containing or be contained by an existing brick" in output
    assert node.run("gluster", "--mode=script", "volume", "list") == "wp\n"


def test_volume_is_not_made_over_the_brick_of_one_that_was_deleted(volume: Mapping[str, Node]) -> None:
    node = volume["gfs1"]
    old = f"node-gfs1:{MOUNT}/old"
    node.run("gluster", "--mode=script", "volume", "create", "old", old)
    node.run("gluster", "--mode=script", "volume", "delete", "old")
    output = node.refuses("gluster/volume.sh", params.VOLUME | {"VOLUME": "new", "REPLICA": "", "BRICKS": old})
    node.run("rm", "-rf", f"{MOUNT}/old")
    assert f"{MOUNT}/old is already part of a volume" in output
    assert node.run("gluster", "--mode=script", "volume", "list") == "wp\n"


def test_volume_keeps_a_brick_that_the_settings_do_not_name(volume: Mapping[str, Node]) -> None:
    node = volume["gfs1"]
    before = node.state()
    *others, last = params.VOLUME["BRICKS"].split()
    output = node.refuses("gluster/volume.sh", params.VOLUME | {"BRICKS": " ".join(others)})
    assert "Volume wp has" in output
    assert last in output
    assert node.state() == before


def test_glusterd_does_not_stop_bricks_for_other_ports(volume: Mapping[str, Node]) -> None:
    node = volume["gfs1"]
    before = node.state()
    assert "Bricks run on this node" in node.refuses("gluster/glusterd.sh", params.GLUSTERD | {"MAX_PORT": "50000"})
    assert node.state() == before


@pytest.fixture
def listeners(volume: Mapping[str, Node]) -> Iterator[Mapping[str, Node]]:
    """The nodes with something that answers on the ports of hits and of the cache, and as a metadata service."""
    for node in volume.values():
        node.run("ip", "address", "add", f"{METADATA}/32", "dev", "lo")
        node.run("systemctl", "start", "nginx")
        for port in (HITS, CACHE):
            node.run("systemd-run", "--quiet", f"--unit=listener{port}", "python3", "-m", "http.server", str(port))
    for node in volume.values():
        for port in (HITS, CACHE, 80):
            node.eventually("bash", "-c", f"</dev/tcp/127.0.0.1/{port}")
    yield volume
    for node in volume.values():
        node.run("systemctl", "stop", *(f"listener{port}" for port in (HITS, CACHE)))
        node.run("ip", "address", "del", f"{METADATA}/32", "dev", "lo")


def brick_port(node: Node) -> int:
    """The port of a node's only brick."""
    (port,) = re.findall(r"--brick-port (\d+)", node.run("ps", "-ww", "-C", "glusterfsd", "-o", "args"))
    return int(port)


def connect(node: Node, address: str, port: int, *prefix: str) -> str:
    """Connect from a node; returns the error, or nothing. `prefix`: words in front of the command."""
    attempt = f"timeout 5 bash -c '</dev/tcp/{address}/{port}' 2>&1 || true"
    return node.run(*prefix, "sh", "-c", attempt).strip()


def test_php_connects_to_no_internal_port_nor_the_metadata_service(listeners: Mapping[str, Node]) -> None:
    own, other = listeners["gfs1"], listeners["gfs2"]
    targets = [
        (address, port)
        for node, addresses in ((own, ("127.0.0.1", own.address)), (other, (other.address,)))
        for address in addresses
        for port in (GLUSTERD_PORT, brick_port(node), HITS)
    ]
    for address, port in [*targets, (METADATA, 80)]:
        assert not connect(own, address, port)
        assert "Connection refused" in connect(own, address, port, *AS_WWW_DATA), f"{address}:{port}"
    # a client of nginx behind the cache can name any visitor; Varnish's own user is not root
    for address in ("127.0.0.1", own.address, other.address):
        assert "Connection refused" in connect(own, address, CACHE, *AS_WWW_DATA), address
        assert not connect(own, address, CACHE, "setpriv", "--reuid", "vcache", "--clear-groups")


def test_a_stranger_reaches_no_internal_port(listeners: Mapping[str, Node]) -> None:
    node, neighbour = listeners["gfs1"], listeners["gfs2"]
    public = str(node.machine.endpoint.public)
    for port in (GLUSTERD_PORT, brick_port(node), HITS, CACHE):
        assert not connect(neighbour, node.address, port)
        assert not reaches(STRANGER, public, port), f"port {port}"
    assert reaches(STRANGER, public, 22)
    assert reaches(STRANGER, public, 80)


def test_a_connection_from_a_port_in_the_range_of_bricks_is_answered(listeners: Mapping[str, Node]) -> None:
    """The kernel chooses a client's port from a range that includes the ports of bricks."""
    client, server = listeners["gfs2"], listeners["gfs1"]
    server.run("systemd-run", "--quiet", "--unit=web", "--uid=www-data", "python3", "-m", "http.server", "8000")
    server.eventually("bash", "-c", "</dev/tcp/127.0.0.1/8000")
    port = str(params.PORTS.last)
    client.run("curl", "--silent", "--fail", "--max-time", "5", "--local-port", port, f"http://{server.address}:8000/")
    server.run("systemctl", "stop", "web")


def test_the_firewall_stays_loaded_when_another_one_is_reloaded(glusterd: Mapping[str, Node]) -> None:
    node, table = glusterd["gfs1"], ("nft", "list", "table", "inet", "ha-wordpress-ports")
    rules = node.run(*table)
    node.again("firewall/firewall.sh", params.FIREWALL)
    assert node.run(*table) == rules
    # Debian's unit deletes all tables each time
    for verb in ("start", "reload", "restart", "stop"):
        node.run("systemctl", verb, "nftables")
        assert node.run(*table) == rules, verb
    node.run("nft", "delete", "table", "inet", "ha-wordpress-ports")
    assert not connect(node, "127.0.0.1", GLUSTERD_PORT, *AS_WWW_DATA)
    node.step("firewall/firewall.sh", params.FIREWALL)
    assert node.run(*table) == rules


def test_rules_that_nftables_refuses_are_not_kept(filtered: Mapping[str, Node]) -> None:
    node = filtered["gfs1"]
    before = node.state()
    node.refuses("firewall/firewall.sh", params.FIREWALL | {"RULES": "table inet broken { nonsense }\n"})
    assert node.state() == before


def test_mount_holds_the_same_files_on_every_node(site: Mapping[str, Node]) -> None:
    for name, server in zip(NODES, ["node-gfs2", "node-gfs3", "node-gfs1"], strict=True):
        found = site[name].run("findmnt", "--noheadings", "--output", "SOURCE,FSTYPE", params.ROOT).split()
        assert found == [f"{server}:/wp", "fuse.glusterfs"]
    site["gfs1"].run("sh", "-c", f"echo written >{params.ROOT}/file")
    assert [node.run("cat", f"{params.ROOT}/file") for node in site.values()] == ["written\n"] * 3
    node = site["gfs1"]
    node.run("rm", f"{params.ROOT}/file")
    assert node.run("stat", "--format", "%U", params.ROOT) == "www-data\n"
    fstab = [line.split() for line in node.run("cat", "/etc/fstab").splitlines()]
    assert [line[:3] for line in fstab if params.ROOT in line] == [["node-gfs2:/wp", params.ROOT, "glusterfs"]]
    node.again("gluster/mount.sh", params.mount("node-gfs1"))


def test_a_file_that_was_looked_for_in_vain_is_found_later(site: Mapping[str, Node]) -> None:
    awaited = f"{params.ROOT}/awaited"
    site["gfs2"].run("test", "!", "-e", awaited)
    site["gfs1"].run("touch", awaited)
    site["gfs2"].run("test", "!", "-e", awaited)
    site["gfs2"].eventually("test", "-e", awaited, within=3 * ATTRIBUTE_TIMEOUT)
    site["gfs1"].run("rm", awaited)


def test_mount_comes_back_when_its_client_dies(site: Mapping[str, Node]) -> None:
    node = site["gfs2"]
    client = f"^/usr/sbin/glusterfs .* {params.ROOT}$"
    killed = node.run("pgrep", "-f", client).strip()
    node.run("pkill", "-KILL", "-f", client)
    # another process, and its mount is there
    node.eventually("sh", "-c", f"pgrep -f '{client}' | grep -vx {killed} && stat {params.ROOT}")
    assert node.run("findmnt", "--noheadings", "--output", "FSTYPE", params.ROOT) == "fuse.glusterfs\n"


def test_a_file_that_a_brick_lost_with_its_power_comes_back(site: Mapping[str, Node]) -> None:
    first, last = site["gfs1"], site["gfs3"]
    directory = f"{params.ROOT}/lost"
    first.run("sh", "-c", f"mkdir {directory}; echo acknowledged >{directory}/file")
    last.run("pkill", "-KILL", "glusterfsd")
    # as if XFS had kept it in memory only; no other brick knows that it is missing there
    last.run("sh", "-ec", f"cd {params.BRICK}; find .glusterfs -samefile lost/file -delete; rm lost/file")
    first.run("sh", "-c", f"echo more >>{directory}/file; echo new >{directory}/other")
    first.run("gluster", "--mode=script", "volume", "start", "wp", "force")
    last.eventually("grep", "more", f"{params.BRICK}/lost/file", within=90)
    assert last.run("cat", f"{params.BRICK}/lost/file") == "acknowledged\nmore\n"
    first.run("rm", "-r", directory)


def test_a_lock_of_a_node_that_lost_power_is_free_when_the_node_is_given_up(site: Mapping[str, Node]) -> None:
    first, last = site["gfs1"], site["gfs3"]
    file = f"{params.ROOT}/locked"
    last.run("systemd-run", "--quiet", "--unit=holder", "flock", file, "sleep", "infinity")
    first.eventually("sh", "-c", f"[ -e {file} ] && ! flock --nonblock {file} true")
    # XFS writes a new brick's directory to disk after up to 30 s; this is about the lock, not about a new brick
    last.run("sync")
    last.machine.power_off()
    try:
        lost = time.monotonic()
        first.run("flock", file, "true")
        # the client that asks may itself wait for two ping timeouts; three times that on a loaded machine
        assert time.monotonic() - lost < 3 * 2 * Gluster().ping_timeout + 2
    finally:
        last.machine.power_on()
        last.eventually("findmnt", "--types", "fuse.glusterfs", params.ROOT, within=120)
    first.run("rm", file)


def lose_machine(node: Node) -> None:
    """Take from a node what a new machine does not have: its place in the pool."""
    node.run("systemctl", "stop", "glusterd")
    node.run("find", "/var/lib/glusterd", "-mindepth", "1", "!", "-name", "secure-access", "-delete")


def lose_disk(node: Node) -> None:
    """Replace a node's disk by an empty one; its glusterd may run."""
    node.run("sh", "-c", "pkill -KILL -x glusterfsd || true")
    # until the kernel has ended it, the brick keeps the file system busy
    node.eventually("umount", MOUNT)
    node.run("wipefs", "--quiet", "--all", node.disk)


def rejoin(node: Node) -> None:
    """Run the steps of a node's storage, as for a new machine."""
    node.step("gluster/brick.sh", params.brick(node.disk))
    node.step("gluster/glusterd.sh", params.GLUSTERD)
    node.step("gluster/rejoin.sh", params.rejoin(f"node-{node.name}"))


LOSSES: dict[str, tuple[str, Sequence[Callable[[Node], None]]]] = {
    "the first node's machine": ("gfs1", [lose_machine]),
    "a machine and its disk": ("gfs3", [lose_machine, lose_disk]),
    "a disk": ("gfs2", [lose_disk]),
}


@pytest.mark.parametrize(("name", "losses"), LOSSES.values(), ids=LOSSES.keys())
def test_a_lost_node_takes_its_place_again(
    site: Mapping[str, Node], name: str, losses: Sequence[Callable[[Node], None]]
) -> None:
    node, other = site[name], site["gfs2" if name == "gfs1" else "gfs1"]
    identity = other.run("gluster", "--mode=script", "pool", "list")
    directory = f"{params.ROOT}/kept"
    other.run("sh", "-ec", f"mkdir {directory}; for n in $(seq 50); do echo before $n >{directory}/$n; done")
    # GlusterFS heals a directory only while every brick is there (afr-self-heal-entry.c): a brick that came back a
    # moment ago would not get these files while another one is away
    other.eventually("sh", "-c", params.HEALED, within=120)
    for lose in losses:
        lose(node)
    other.run("sh", "-ec", f"for n in $(seq 25 75); do echo after $n >{directory}/$n; done")
    rejoin(node)
    assert other.run("gluster", "--mode=script", "pool", "list") == identity
    # nodes that describe the volume differently reject each other at their next start
    assert len({each.run("cat", "/var/lib/glusterd/vols/wp/cksum") for each in site.values()}) == 1
    listed = "cd $1; find . -path ./.glusterfs -prune -o -type f -print0 | sort -z | xargs -0 sha256sum"
    whole = other.run("sh", "-c", listed, "sh", params.BRICK).strip()
    assert "./kept/75" in whole
    equal = f'[ "$({listed})" = "$2" ]'
    node.eventually("sh", "-c", equal, "sh", params.BRICK, whole, within=120)
    node.again("gluster/rejoin.sh", params.rejoin(f"node-{name}"))
    other.run("rm", "-r", directory)


def test_a_node_that_the_pool_does_not_know_stays_as_it_is(volume: Mapping[str, Node]) -> None:
    volume["gfs1"].again("gluster/rejoin.sh", params.rejoin("node-gfs1") | {"HOST": "node-new"})


def test_a_node_of_another_pool_is_left_alone(volume: Mapping[str, Node]) -> None:
    node = volume["gfs1"]
    before = node.state()
    # as if another machine were this node for the pool
    taken = params.rejoin("node-gfs1") | {"HOST": "node-gfs2"}
    assert "a node of another pool" in node.refuses("gluster/rejoin.sh", taken)
    assert node.state() == before


def test_mount_reports_that_no_brick_answers_and_goes_on_trying(site: Mapping[str, Node]) -> None:
    node = site["gfs3"]
    # glusterd may restart bricks that were killed, but not those of a stopped volume
    site["gfs1"].run("gluster", "--mode=script", "volume", "stop", "wp")
    try:
        output = node.refuses("gluster/mount.sh", params.mount("node-gfs3", GONE))
        refusal = node.run("sh", "-c", f"touch {GONE}/file 2>&1 || true")
    finally:
        site["gfs1"].run("gluster", "--mode=script", "volume", "start", "wp")
    assert f"{GONE} is not a GlusterFS mount" in output
    # the last line of its client's log
    assert f"Closing fuse connection to '{GONE}'" in output
    assert "Operation not permitted" in refusal
    node.eventually("findmnt", "--types", "fuse.glusterfs", GONE)
    node.step("gluster/mount.sh", params.mount("node-gfs3", GONE))
    node.run("systemctl", "disable", "--quiet", "--now", "gluster-mount@mnt-gone.service")
    node.run("sed", "-i", f"\\# {GONE} #d", "/etc/fstab")


def test_brick_reports_a_disk_that_does_not_appear(disk_that_never_comes: Future[str], spare: Node) -> None:
    assert "/dev/disk/by-id/nvme-none did not appear" in disk_that_never_comes.result()
    assert MOUNT not in spare.run("cat", "/etc/fstab")


def test_rejoin_reports_that_no_other_node_answers(pool_that_never_answers: Future[str]) -> None:
    assert "No other node's glusterd answers" in pool_that_never_answers.result()
