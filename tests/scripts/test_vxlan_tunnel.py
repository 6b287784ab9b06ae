"""The step cloud/digitalocean/vxlan_tunnel.sh, on three machines of a private network.

The network drops VRRP, as DigitalOcean's firewalls do.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor

import pytest

from components.cloud.digitalocean.vxlan_tunnel import PORT, tunnel_address
from components.firewall import firewall
from rehearsal.region.endpoint import Lan
from rehearsal.region.region import Region
from rehearsal.system.shell import run
from tests.scripts.node import Node, plain_machines

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
    print("heard nothing")
"""


@pytest.fixture(scope="module")
def linked(region: Region) -> Iterator[dict[str, Node]]:
    """link1, link2 and link3, on a network that drops VRRP."""
    region.network.new_lan(PRIVATE)
    rules = "table bridge link { chain forward { type filter hook forward priority 0; ip protocol 112 drop; }; }"
    run("ip", "netns", "exec", "region", "nft", rules)
    ports = {
        name: [region.network.new_lan_port("eth1", PRIVATE, str(PRIVATE.subnet.network_address + place))]
        for place, name in enumerate(("link1", "link2", "link3"), 11)
    }
    with plain_machines(region, ports) as nodes:
        yield nodes


@pytest.fixture
def tunnels(linked: dict[str, Node]) -> dict[str, Node]:
    """The machines, each linked with both others, also after a test that changed the links."""
    for name, node in linked.items():
        node.step(STEP, link(name, linked))
    return linked


def link(name: str, linked: Mapping[str, Node], *others: str) -> dict[str, str]:
    """The step's parameters on a machine that is linked with `others`, or with all others."""
    others = others or tuple(other for other in linked if other != name)
    return {
        "LOCAL": linked[name].address,
        "REMOTES": " ".join(linked[other].address for other in others),
        "ADDRESS": tunnel_address(linked[name].address),
    }


def heard(by: Node, sender: Node, address: str) -> str:
    """The last line that the receiver on `by` prints while `sender` sends VRRP to `address`."""
    with ThreadPoolExecutor() as pool:
        listening = pool.submit(by.run, "python3", "-c", RECEIVE)
        while not listening.done():
            sender.run("python3", "-c", SEND, address)
        return listening.result().splitlines()[-1]


def test_vrrp_comes_through_the_link_and_not_beside_it(tunnels: Mapping[str, Node]) -> None:
    first, second = tunnels["link1"], tunnels["link2"]
    assert heard(second, first, second.address) == "heard nothing"
    assert heard(second, first, tunnel_address(second.address)) == f"heard {tunnel_address(first.address)}"


def test_a_second_run_leaves_the_link_as_it_is(tunnels: Mapping[str, Node]) -> None:
    first = tunnels["link1"]
    before = first.run("cat", "/sys/class/net/balancers/ifindex")
    first.again(STEP, link("link1", tunnels))
    assert first.run("cat", "/sys/class/net/balancers/ifindex") == before


@pytest.mark.parametrize("in_tunnel", [False, True], ids=["over the tunnel's port", "through the tunnel"])
def test_only_balancers_send_vrrp(tunnels: Mapping[str, Node], in_tunnel: bool) -> None:
    """link3 stands for a droplet of the private network, or a machine at the tunnel's end, that is no balancer."""
    first, second, stranger = tunnels.values()
    own = tunnel_address(first.address)
    rules = firewall.rules(
        [],
        str(PRIVATE.subnet),
        vrrp_peers=[tunnel_address(second.address)],
        tunnel_port=PORT,
        tunnel_peers=[second.address, *([stranger.address] if in_tunnel else [])],
    )
    first.step("firewall/firewall.sh", {"RULES": rules, **firewall.UNITS})
    assert heard(first, stranger, own) == "heard nothing"
    assert heard(first, second, own) == f"heard {tunnel_address(second.address)}"


def test_a_third_balancer_is_linked_with_both(linked: Mapping[str, Node]) -> None:
    linked["link1"].step(STEP, link("link1", linked, "link2"))
    linked["link2"].step(STEP, link("link2", linked, "link1"))
    for name, node in linked.items():
        node.step(STEP, link(name, linked))
    for node in linked.values():
        for other in linked.values():
            node.eventually("ping", "-c", "1", "-W", "1", tunnel_address(other.address))


def test_the_link_comes_back_with_its_machine_and_is_known_at_once(tunnels: Mapping[str, Node]) -> None:
    first, second = tunnels["link1"], tunnels["link2"]
    first.run("ping", "-c", "1", "-W", "1", tunnel_address(second.address))
    hardware = second.run("cat", "/sys/class/net/balancers/address")
    second.machine.power_off()
    second.machine.power_on()
    second.eventually("systemctl", "is-active", "--quiet", "balancer-link", within=120)
    assert second.run("cat", "/sys/class/net/balancers/address") == hardware
    first.eventually("ping", "-c", "1", "-W", "1", tunnel_address(second.address), within=15)


def test_a_link_that_was_deleted_is_made_again(tunnels: Mapping[str, Node]) -> None:
    first = tunnels["link1"]
    first.run("ip", "link", "delete", "balancers")
    first.step(STEP, link("link1", tunnels))
    first.run("ping", "-c", "1", "-W", "1", tunnel_address(tunnels["link2"].address))


def test_a_link_that_cannot_be_made_is_reported(tunnels: Mapping[str, Node]) -> None:
    output = tunnels["link3"].refuses(STEP, link("link3", tunnels) | {"ADDRESS": "198.19.0.300"})
    assert "The tunnel between the balancers is not up on this machine:" in output
    assert "198.19.0.300" in output
