"""The step cloud/digitalocean/vxlan_tunnel.sh, on three machines of a private network that lets VRRP through as little
as DigitalOcean's firewalls do.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor

import pytest

from components.cloud.digitalocean.vxlan_tunnel import tunnel_address
from rehearsal.region.endpoint import Lan
from rehearsal.region.region import Region
from rehearsal.system.shell import run
from tests.scripts.node import Node

PRIVATE = Lan("drops", ipaddress.IPv4Network("10.40.0.0/24"), routed=False)
STEP = "cloud/digitalocean/vxlan_tunnel.sh"

SEND = "import socket, sys; socket.socket(socket.AF_INET, socket.SOCK_RAW, 112).sendto(b'advert', (sys.argv[1], 0))"
RECEIVE = """
import socket
listener = socket.socket(socket.AF_INET, socket.SOCK_RAW, 112)
listener.settimeout(3)
print("listens", flush=True)
try:
    print("heard", listener.recvfrom(100)[1][0])
except TimeoutError:
    print("heard nobody")
"""


@pytest.fixture(scope="module")
def linked(region: Region) -> Iterator[dict[str, Node]]:
    """link1, link2 and link3, on a network that drops VRRP."""
    region.network.new_lan(PRIVATE)
    rules = "table bridge link { chain forward { type filter hook forward priority 0; ip protocol 112 drop; }; }"
    run("ip", "netns", "exec", "region", "nft", rules)
    made = {}
    for place, name in enumerate(("link1", "link2", "link3"), 11):
        machine = region.new_machine(
            f"i-{name}",
            name=name,
            hostname=name,
            ports=[region.network.new_lan_port("eth1", PRIVATE, str(PRIVATE.subnet.network_address + place))],
            user_data=b"#cloud-config\n{}\n",
            public_keys=[],
        )
        machine.power_on()
        made[name] = Node(name, machine)
    for node in made.values():
        node.eventually("systemctl", "is-active", "--quiet", "multi-user.target", within=120)
    yield made
    for node in made.values():
        node.machine.power_off()


def given(name: str, linked: Mapping[str, Node], *others: str) -> dict[str, str]:
    return {
        "LOCAL": linked[name].address,
        "REMOTES": " ".join(linked[other].address for other in others),
        "ADDRESS": tunnel_address(linked[name].address),
    }


def heard(by: Node, sender: Node, address: str) -> str:
    """Who `by` hears VRRP from, when `sender` sends it to an address of his."""
    with ThreadPoolExecutor() as pool:
        listening = pool.submit(by.run, "python3", "-c", RECEIVE)
        while not listening.done():
            sender.run("python3", "-c", SEND, address)
        return listening.result().splitlines()[-1]


def test_vrrp_comes_through_the_link_and_not_beside_it(linked: Mapping[str, Node]) -> None:
    first, second = linked["link1"], linked["link2"]
    first.step(STEP, given("link1", linked, "link2"))
    second.step(STEP, given("link2", linked, "link1"))
    assert heard(second, first, second.address) == "heard nobody"
    assert heard(second, first, tunnel_address(second.address)) == f"heard {tunnel_address(first.address)}"


def test_a_second_run_leaves_the_link_as_it_is(linked: Mapping[str, Node]) -> None:
    first = linked["link1"]
    before = first.run("cat", "/sys/class/net/balancers/ifindex")
    first.again(STEP, given("link1", linked, "link2"))
    assert first.run("cat", "/sys/class/net/balancers/ifindex") == before


def test_a_third_balancer_is_linked_with_both(linked: Mapping[str, Node]) -> None:
    for name in linked:
        linked[name].step(STEP, given(name, linked, *(other for other in linked if other != name)))
    for node in linked.values():
        for other in linked.values():
            node.eventually("ping", "-c", "1", "-W", "1", tunnel_address(other.address), within=10)


def test_the_link_comes_back_with_its_machine_and_is_known_at_once(linked: Mapping[str, Node]) -> None:
    first, second = linked["link1"], linked["link2"]
    first.run("ping", "-c", "1", "-W", "1", tunnel_address(second.address))
    hardware = second.run("cat", "/sys/class/net/balancers/address")
    second.machine.power_off()
    second.machine.power_on()
    second.eventually("systemctl", "is-active", "--quiet", "balancer-link", within=120)
    assert second.run("cat", "/sys/class/net/balancers/address") == hardware
    first.eventually("ping", "-c", "1", "-W", "1", tunnel_address(second.address), within=5)


def test_a_link_that_somebody_took_down_stands_again(linked: Mapping[str, Node]) -> None:
    first = linked["link1"]
    first.run("ip", "link", "delete", "balancers")
    first.step(STEP, given("link1", linked, "link2", "link3"))
    first.run("ping", "-c", "1", "-W", "1", tunnel_address(linked["link2"].address))


def test_a_link_that_cannot_stand_says_why(linked: Mapping[str, Node]) -> None:
    output = linked["link3"].refuses(STEP, given("link3", linked, "link1") | {"ADDRESS": "198.19.0.300"})
    assert "The tunnel between the balancers is not up on this machine:" in output
    assert "198.19.0.300" in output
    linked["link3"].step(STEP, given("link3", linked, "link1", "link2"))
