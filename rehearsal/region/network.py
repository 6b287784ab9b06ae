"""The rehearsal's network: the operator outside, a router that stands for the region, a namespace per endpoint.

The operator is the namespace that the engine and the probes run in. A port of a cloud's network has a veth pair of its
own behind the router. Each packet between two endpoints, or between an endpoint and the outside, therefore crosses the
router's forward chain, where the security groups are enforced: outside of the machine, as in a cloud. A port of a LAN
is plugged into one of the router's bridges beside its neighbours.
"""

from __future__ import annotations

import ipaddress
import itertools
import threading

from rehearsal.region.endpoint import NETNS, Endpoint, Lan, Port, gateway
from rehearsal.region.firewall import Group, ruleset
from rehearsal.region.metadata import ADDRESS as METADATA
from rehearsal.region.outside_addresses import OutsideAddresses
from rehearsal.system.shell import run

RESOLVER = "169.254.169.253"
"""Address of a VPC's name server (Amazon VPC user guide, "DNS attributes for your VPC")."""

PUBLIC = ipaddress.IPv4Network("198.51.100.0/24")
"""Range of the region's own public addresses."""

CUT = 1
"""Number of the group (ip-link(8)) of the links that are cut."""

ROUTER = NETNS / "region"


def ip(namespace: str, *commands: str) -> None:
    """Run commands of ip(8) in a namespace, up to the first that fails."""
    run("ip", "-n", namespace, "-batch", "-", stdin="\n".join(commands))


class Network:
    """The router, its endpoints and their security groups. All methods may be called from any thread."""

    def __init__(self, outside: OutsideAddresses) -> None:
        """Make the router and join this process's namespace to it, with the addresses of operator and stranger."""
        operator, stranger = outside.operator, outside.stranger
        self.outside = [operator.network, stranger.network]
        self.groups: dict[str, Group] = {}
        self._endpoints: dict[str, Endpoint] = {}
        self._lock = threading.RLock()
        self._offsets: dict[ipaddress.IPv4Network, itertools.count[int]] = {}
        self._numbers = itertools.count(1)
        run("ip", "link", "set", "lo", "up")
        run("ip", "netns", "add", "region")
        run("ip", "link", "add", "outside", "type", "veth", "peer", "name", "outside", "netns", "region")
        for address in (operator, stranger):
            run("ip", "addr", "add", str(address), "dev", "outside")
            ip("region", f"addr add {router_side(address)}/{address.network.prefixlen} dev outside")
        run("ip", "link", "set", "outside", "up")
        ip(
            "region",
            "link set lo up",
            "link set outside up",
            f"addr add {RESOLVER}/32 dev lo",
            f"addr add {METADATA}/32 dev lo",
        )
        run("ip", "route", "add", "default", "via", router_side(operator), "src", str(operator.ip))
        self._sysctl("net.ipv4.ip_forward=1")
        self.apply()

    def new_port(
        self, interface: str, subnet: ipaddress.IPv4Network, groups: tuple[str, ...], *, public: bool = False
    ) -> Port:
        """Return a port with the next free address of a private subnet.

        `groups`: ids of its security groups; `public`: whether the router translates a public address to it.
        """
        address = self._next_address(subnet)
        translated = self.new_public_address() if public else None
        return Port(self._port_name(), interface, address, subnet, groups, translated)

    def new_public_port(self, interface: str, groups: tuple[str, ...] | None) -> Port:
        """Return a port whose own address is a public one. `groups`: ids of its security groups; None: no filter."""
        address = self.new_public_address()
        return Port(self._port_name(), interface, address, PUBLIC, groups, address)

    def new_public_address(self) -> str:
        """Return a public address that belongs to no port yet."""
        return self._next_address(PUBLIC)

    def new_lan(self, lan: Lan) -> None:
        """Make the bridge of a LAN, and give the router its address there if the LAN is routed."""
        ip("region", f"link add {lan.name} type bridge", f"link set {lan.name} up")
        if lan.routed:
            ip("region", f"addr add {gateway(lan.subnet)}/{lan.subnet.prefixlen} dev {lan.name}")

    def new_lan_port(self, interface: str, lan: Lan, address: str) -> Port:
        """Return a port with this address on a LAN."""
        public = address if lan.routed else None
        return Port(self._port_name(), interface, address, lan.subnet, None, public, lan)

    def plug(self, endpoint: Endpoint, *, configured: bool) -> None:
        """Give an endpoint a fresh namespace with fresh interfaces: a reboot keeps no setting of either.

        `configured`: whether to set its addresses and routes here, for a service; a machine's cloud-init sets them.
        """
        with self._lock:
            self.unplug(endpoint)
            run("ip", "netns", "add", endpoint.name)
            for port in endpoint.ports:
                ip("region", f"link add {port.name} type veth peer name {port.interface} netns {endpoint.name}")
                if port.lan:
                    ip("region", f"link set {port.name} master {port.lan.name}")
                else:
                    # Endpoints of one subnet reach each other through the router, as in a VPC. The kernel delays a
                    # proxied ARP answer at random unless proxy_delay is 0.
                    self._sysctl(f"net.ipv4.conf.{port.name}.proxy_arp=1", f"net.ipv4.neigh.{port.name}.proxy_delay=0")
                    ip("region", f"addr add {port.gateway}/32 dev {port.name}")
                self.restore(port)
            if configured:
                ip(endpoint.name, *configuration(endpoint))
            self._endpoints[endpoint.name] = endpoint
            self.apply()

    def cut(self, *ports: Port) -> None:
        """Take links down, all at once and without notice to any peer; their endpoint sees the carrier go.

        The links form a group, which the kernel takes down in one operation. If they went one by one, a balancer could
        announce its failure through a link that is still up, and its peer would take over within 0.1 s.
        """
        ip("region", *(f"link set {port.name} group {CUT}" for port in ports), f"link set group {CUT} down")

    def restore(self, port: Port) -> None:
        """Bring a link up."""
        ip("region", f"link set {port.name} group default up")
        if not port.lan:
            ip("region", f"route replace {port.address}/32 dev {port.name}")

    def unplug(self, endpoint: Endpoint) -> None:
        """Remove an endpoint's namespace and links, if it has them."""
        with self._lock:
            if self._endpoints.pop(endpoint.name, None):
                ip("region", *(f"link del {port.name}" for port in endpoint.ports))
                run("ip", "netns", "del", endpoint.name)
                self.apply()

    def put_in_groups(self, endpoint: Endpoint, groups: tuple[str, ...]) -> None:
        """Replace the security groups of all ports of an endpoint by those with these ids."""
        for port in endpoint.ports:
            port.groups = groups
        self.apply()

    def apply(self) -> None:
        """Enforce the security groups as they are now, in one nftables transaction."""
        with self._lock:
            ports = [port for endpoint in self._endpoints.values() for port in endpoint.ports]
            run("nsenter", f"--net={ROUTER}", "nft", "-f", "-", stdin=ruleset(self.groups, ports))

    def _next_address(self, subnet: ipaddress.IPv4Network) -> str:
        """The next free address of a subnet; a cloud reserves the first four."""
        with self._lock:
            return str(subnet.network_address + next(self._offsets.setdefault(subnet, itertools.count(4))))

    def _port_name(self) -> str:
        return f"port{next(self._numbers)}"

    def _sysctl(self, *settings: str) -> None:
        run("nsenter", f"--net={ROUTER}", "sysctl", "-qw", *settings)


def configuration(endpoint: Endpoint) -> list[str]:
    """Return the commands of ip(8) that set an endpoint's addresses and default route, in its own namespace."""
    ports = endpoint.ports
    return [
        "link set lo up",
        *(f"addr add {port.address}/{port.subnet.prefixlen} dev {port.interface}" for port in ports),
        *(f"link set {port.interface} up" for port in ports),
        f"route add default via {ports[0].gateway}",
    ]


def router_side(address: ipaddress.IPv4Interface) -> str:
    """The router's address in an outside network: the last one, so that the operator may have any other."""
    return str(address.network.broadcast_address - 1)
