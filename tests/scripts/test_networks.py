"""Networks of clouds that give a machine two interfaces, and of machines that exist already."""

from __future__ import annotations

import http.client
import ipaddress
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from rehearsal.drills.reachability import OPERATOR, STRANGER, reaches
from rehearsal.region.capture import Flow
from rehearsal.region.control import RegionControl
from rehearsal.region.endpoint import Endpoint, Lan
from rehearsal.region.firewall import Group, Rule
from rehearsal.region.preexisting import ExistingMachines, Networks, SshKeys, public_and_private_lan
from rehearsal.region.preexisting import Node as NodeSettings
from rehearsal.region.region import Region
from tests.scripts.node import Node

ANYWHERE = ipaddress.IPv4Network("0.0.0.0/0")
VPC = ipaddress.IPv4Network("10.30.0.0/20")
VIRTUAL = "198.18.0.100"
EXISTING = {
    "ha-wordpress:web": "apache",
    "ha-wordpress:network": {"private": "10.40.0.0/24", "virtual_ip": VIRTUAL},
    "ha-wordpress:nodes": {
        "server1": {"public": "198.18.0.11", "private": "10.40.0.1", "user": "keeper", "disk": "/dev/vdb"},
        "server2": {"public": "198.18.0.12", "private": "10.40.0.2"},
    },
}

GRATUITOUS_ARP = f"""
import socket
with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as link:
    link.bind(("eth0", 0x806))
    mac, address = link.getsockname()[4], socket.inet_aton("{VIRTUAL}")
    body = bytes.fromhex("0001080006040001") + mac + address + bytes(6) + address
    link.send(bytes([255] * 6) + mac + bytes.fromhex("0806") + body)
"""
"""Sends one gratuitous ARP packet: the owner of the virtual address announces it."""

FIRST_LOSS = """
import pathlib, socket
with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0) as news:
    news.bind((0, 1))
    news.settimeout(20)
    print("listening", flush=True)
    news.recv(65536)
    carriers = [carrier.read_text() for carrier in pathlib.Path("/sys/class/net").glob("eth*/carrier")]
    print(carriers.count("0\\n"), "of", len(carriers))
"""
"""Waits for the first link event in its namespace, and prints how many interfaces have no carrier then."""


def eventually(holds: Callable[[], bool], within: float = 20) -> None:
    end = time.monotonic() + within
    while not holds():
        assert time.monotonic() < end, f"not within {within} s"
        time.sleep(0.05)


@pytest.fixture(scope="module")
def droplet(region: Region) -> Iterator[Node]:
    """A machine with a public address on eth0 and a private one on eth1; no rule admits a connection to it."""
    region.network.groups["firewall:droplet"] = Group(egress={"out": Rule("-1", 0, 0, ANYWHERE)})
    ports = [
        region.network.new_public_port("eth0", ("firewall:droplet",)),
        region.network.new_port("eth1", VPC, ("firewall:droplet",)),
    ]
    machine = region.new_machine(
        "droplet", name="droplet", hostname="droplet", ports=ports, user_data=b"#cloud-config\n", public_keys=[]
    )
    machine.power_on()
    node = Node("droplet", machine)
    node.eventually("systemctl", "is-active", "--quiet", "ssh", within=120)
    yield node
    region.machines.pop("droplet").destroy()


@pytest.fixture
def neighbour(region: Region) -> Iterator[Endpoint]:
    """An endpoint with two interfaces, in a group of its own."""
    region.network.groups["tag:friends"] = Group(egress={"out": Rule("-1", 0, 0, ANYWHERE)})
    groups = ("tag:friends",)
    endpoint = Endpoint(
        "neighbour", (region.network.new_public_port("eth0", groups), region.network.new_port("eth1", VPC, groups))
    )
    region.network.plug(endpoint, configured=True)
    yield endpoint
    region.network.unplug(endpoint)


def connects(endpoint: Endpoint, address: str, port: int = 22) -> bool:
    attempt = ["nsenter", f"--net={endpoint.namespace}", "timeout", "2", "bash", "-c", f"</dev/tcp/{address}/{port}"]
    return subprocess.run(attempt, check=False, capture_output=True).returncode == 0


def test_a_machine_holds_a_public_and_a_private_address_itself(droplet: Node) -> None:
    endpoint = droplet.machine.endpoint
    for port in endpoint.ports:
        assert f"inet {port.address}/" in droplet.run("ip", "-4", "addr", "show", port.interface)
    assert droplet.run("ip", "route", "show", "default").split()[2:5] == [endpoint.ports[0].gateway, "dev", "eth0"]
    assert endpoint.public == endpoint.ports[0].address != endpoint.address


def test_a_range_lets_in_by_the_public_address_only(region: Region, droplet: Node) -> None:
    endpoint = droplet.machine.endpoint
    assert not reaches(OPERATOR, str(endpoint.public), 22)
    region.network.groups["firewall:droplet"].ingress["ssh"] = Rule("tcp", 22, 22, ANYWHERE)
    region.network.apply()
    assert reaches(OPERATOR, str(endpoint.public), 22)
    assert reaches(STRANGER, str(endpoint.public), 22)
    assert not reaches(OPERATOR, endpoint.address, 22)
    region.network.groups["firewall:droplet"].ingress["ssh"] = Rule(
        "tcp", 22, 22, ipaddress.IPv4Network("203.0.113.0/24")
    )
    region.network.apply()
    assert reaches(OPERATOR, str(endpoint.public), 22)
    assert not reaches(STRANGER, str(endpoint.public), 22)
    del region.network.groups["firewall:droplet"].ingress["ssh"]
    region.network.apply()


def test_a_group_lets_in_its_members_on_both_networks(region: Region, droplet: Node, neighbour: Endpoint) -> None:
    endpoint = droplet.machine.endpoint
    addresses = [str(endpoint.public), endpoint.address]
    assert [connects(neighbour, address) for address in addresses] == [False, False]
    region.network.groups["firewall:droplet"].ingress["ssh"] = Rule("tcp", 22, 22, "tag:friends")
    region.network.apply()
    assert [connects(neighbour, address) for address in addresses] == [True, True]
    assert not reaches(OPERATOR, str(endpoint.public), 22)
    region.network.put_in_groups(neighbour, ())
    assert [connects(neighbour, address) for address in addresses] == [False, False]
    del region.network.groups["firewall:droplet"].ingress["ssh"]
    region.network.apply()


@pytest.fixture(scope="module")
def keys(region: Region) -> SshKeys:
    return ExistingMachines(region, EXISTING).boot()


@pytest.fixture
def servers(region: Region, keys: SshKeys) -> Mapping[str, Node]:
    return {
        machine.name: Node(machine.name, machine)
        for machine in region.machines.values()
        if machine.name in keys.host_keys
    }


@pytest.mark.parametrize(("user", "address"), [("keeper", "198.18.0.11"), ("root", "198.18.0.12")])
def test_an_existing_machine_accepts_the_returned_ssh_keys(
    keys: SshKeys, tmp_path: Path, user: str, address: str
) -> None:
    key, known = tmp_path / "key", tmp_path / "known"
    key.touch(mode=0o600)
    key.write_text(keys.private_key)
    name = "server1" if user == "keeper" else "server2"
    known.write_text(f"{address} {keys.host_keys[name]}\n")
    words = ["ssh", "-F", "none", "-i", str(key), "-o", f"UserKnownHostsFile={known}", "-o", "BatchMode=yes"]
    done = subprocess.run(
        [*words, f"{user}@{address}", "sudo -n id --user; hostname; lsblk /dev/vdb"],
        check=False, capture_output=True, text=True, timeout=30,
    )  # fmt: skip
    assert done.stdout.split()[:2] == ["0", name], done.stderr
    assert (done.returncode == 0) is (name == "server1"), "only server1 has a spare disk"


def test_an_existing_apache_serves_its_site_and_nothing_else_runs(servers: Mapping[str, Node]) -> None:
    for node in servers.values():
        connection = http.client.HTTPConnection(str(node.machine.endpoint.public), timeout=5)
        connection.request("GET", "/")
        assert b"It was here before" in connection.getresponse().read()
        assert node.run("systemctl", "is-enabled", "apache2") == "enabled\n"
        off = "nginx", "haproxy", "keepalived", "varnish", "fail2ban", "php8.4-fpm"
        assert [node.run("sh", "-c", f"systemctl is-active {service} || true").strip() for service in off] == [
            "inactive"
        ] * len(off)
        assert node.run("getfattr", "--only-values", "--name=user.origin", "/var/www/html/film.bin") == "a camera"
        assert node.run("find", "/var/www/html", "-name", "page-*", "-perm", "2755").count("\n") > 10


def test_an_installed_package_has_its_service_started_once(servers: Mapping[str, Node]) -> None:
    node = servers["server2"]
    node.run("apt-get", "install", "--yes", "--quiet=2", "php-fpm")
    assert node.run("systemctl", "is-active", "php8.4-fpm") == "active\n"
    node.run("systemctl", "disable", "--quiet", "--now", "php8.4-fpm")
    node.run("apt-get", "install", "--yes", "--quiet=2", "php-fpm")
    assert node.run("sh", "-c", "systemctl is-active php8.4-fpm || true") == "inactive\n"


def test_only_the_machines_reach_the_private_lan(servers: Mapping[str, Node]) -> None:
    assert reaches(OPERATOR, "198.18.0.11", 22)
    assert not reaches(OPERATOR, "10.40.0.1", 22)
    servers["server1"].run("ping", "-c", "1", "-W", "2", "10.40.0.2")


def test_the_operator_follows_an_address_that_moves(servers: Mapping[str, Node]) -> None:
    """The new owner announces the address by gratuitous ARP, as keepalived does."""
    first, second = servers["server1"], servers["server2"]

    def answers() -> str:
        try:
            connection = http.client.HTTPConnection(VIRTUAL, timeout=1)
            connection.request("GET", "/owner")
            return connection.getresponse().read().decode()
        except OSError:
            return ""

    for node in (first, second):
        node.run("sh", "-c", f"echo {node.name} >/var/www/html/owner")
    first.run("ip", "addr", "add", f"{VIRTUAL}/32", "dev", "eth0")
    eventually(lambda: answers() == "server1\n")
    first.machine.network.cut(first.machine.endpoint.port("eth0"))
    second.run("ip", "addr", "add", f"{VIRTUAL}/32", "dev", "eth0")
    assert answers() != "server2\n", "the router knows the new owner without an announcement"
    second.run("python3", "-c", GRATUITOUS_ARP)
    eventually(lambda: answers() == "server2\n", within=6)
    for node in (first, second):
        node.run("ip", "addr", "del", f"{VIRTUAL}/32", "dev", "eth0")
    first.machine.network.restore(first.machine.endpoint.port("eth0"))
    eventually(lambda: reaches(OPERATOR, "198.18.0.11", 22))


def test_a_link_flaps_and_the_machine_runs_on(region: Region, servers: Mapping[str, Node]) -> None:
    control, node = RegionControl(region), servers["server1"]
    started = node.run("stat", "--format=%Y", "/proc/1")
    for _ in range(3):
        control.cut_link("server1", "eth0")
        eventually(lambda: "NO-CARRIER" in node.run("ip", "link", "show", "eth0"))
        assert not reaches(OPERATOR, "198.18.0.11", 22)
        node.run("ping", "-c", "1", "-W", "2", "10.40.0.2")
        control.restore_link("server1", "eth0")
        eventually(lambda: reaches(OPERATOR, "198.18.0.11", 22))
    assert node.run("stat", "--format=%Y", "/proc/1") == started


def test_an_endpoint_loses_all_its_links_at_once(region: Region) -> None:
    lan = Lan("hub", ipaddress.IPv4Network("10.50.0.0/24"), routed=False)
    region.network.new_lan(lan)
    ports = [region.network.new_lan_port(f"eth{number}", lan, f"10.50.0.{number + 1}") for number in range(24)]
    endpoint = Endpoint("manifold", tuple(ports))
    region.network.plug(endpoint, configured=True)
    words = ["nsenter", f"--net={endpoint.namespace}", "unshare", "--mount", "sh", "-c"]
    with subprocess.Popen(
        [*words, 'mount -t sysfs sysfs /sys && exec python3 -c "$0"', FIRST_LOSS], stdout=subprocess.PIPE, text=True
    ) as listener:
        assert listener.stdout
        assert listener.stdout.readline() == "listening\n"
        region.network.cut(*ports)
        assert listener.stdout.readline() == "24 of 24\n"
    region.network.unplug(endpoint)


def test_a_droplets_link_comes_back_as_it_was(region: Region, droplet: Node) -> None:
    region.network.groups["firewall:droplet"].ingress["ssh"] = Rule("tcp", 22, 22, ANYWHERE)
    region.network.apply()
    public, control = str(droplet.machine.endpoint.public), RegionControl(region)
    control.cut_link("droplet", "eth0")
    assert not reaches(OPERATOR, public, 22)
    control.restore_link("droplet", "eth0")
    eventually(lambda: reaches(OPERATOR, public, 22))
    for _ in range(10):
        control.cut_link("droplet", "eth0")
        control.restore_link("droplet", "eth0")
        eventually(lambda: reaches(OPERATOR, public, 22))


def test_a_capture_lists_the_flows_of_one_interface(region: Region, servers: Mapping[str, Node]) -> None:
    control = RegionControl(region)
    control.start_capture("server1", "eth0")
    control.start_capture("server1", "eth1")
    assert reaches(OPERATOR, "198.18.0.11", 80)
    servers["server2"].run("bash", "-c", "</dev/tcp/10.40.0.1/22")
    outer, inner = control.stop_capture("server1", "eth0"), control.stop_capture("server1", "eth1")
    web, login = ("203.0.113.10", "198.18.0.11", 80), ("10.40.0.2", "10.40.0.1", 22)
    assert packets(outer, *web) >= 3
    assert packets(inner, *login) >= 3
    assert packets(outer, *login) == packets(inner, *web) == 0


def packets(flows: list[Flow], source: str, target: str, port: int) -> int:
    """Number of packets from an address to a port of another."""
    wanted = (source, target, port)
    return sum(flow.packets for flow in flows if (flow.source, flow.target, flow.target_port) == wanted)


def test_all_addresses_that_fit_no_lan_are_reported_at_once() -> None:
    address, network = ipaddress.IPv4Address, ipaddress.IPv4Network
    nodes = {
        "server1": NodeSettings(public=address("198.18.0.1"), private=address("10.40.0.1")),
        "server2": NodeSettings(public=address("198.18.1.2"), private=address("10.41.0.1")),
    }
    networks = Networks(private=network("10.40.0.0/24"), virtual_ip=address("198.18.2.3"))
    with pytest.raises(ValueError, match="cannot be rehearsed") as refused:
        public_and_private_lan(nodes, networks, [network("10.40.0.0/16")])
    for error in (
        "10.40.0.0/24 is the operator's or the stranger's network",
        "nodes.server1.public: 198.18.0.1 is the router's own",
        "nodes.server2.public: 198.18.1.2 is not in 198.18.0.0/24",
        "network.virtual_ip: 198.18.2.3 is not in 198.18.0.0/24",
        "nodes.server2.private: 10.41.0.1 is not in 10.40.0.0/24",
    ):
        assert error in str(refused.value)
