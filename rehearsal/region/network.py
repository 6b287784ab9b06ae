"""The rehearsal's network: the operator, a router that stands for the region, a namespace per host.

The operator (the namespace that the engine and the probes run in) has an address outside of the region.
A port of a cloud's host hangs on a veth pair of its own behind the router, so that each packet between two hosts,
or between a host and the outside, crosses the router's forward chain: there the security groups are nftables
rules, as a cloud enforces them, outside of the machine. A port of a plain network hangs on one of the router's
bridges beside its neighbours: they hear each other's ARP, and nothing filters them.
"""

from __future__ import annotations

import ipaddress
import itertools
import re
import threading
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from rehearsal.system.shell import run

RESOLVER = "169.254.169.253"
"""Where a VPC's name server answers (Amazon VPC user guide, "DNS attributes for your VPC")."""

PUBLIC = ipaddress.IPv4Network("198.51.100.0/24")
"""Where the region's own public addresses come from."""

CUT = 1
"""The number of the group (ip-link(8)) of the links that are cut."""

NETNS = Path("/run/netns")
ROUTER = NETNS / "region"

RULES = """\
table inet region
delete table inet region
table inet region {{
  map to_private {{ type ipv4_addr : ipv4_addr; {to_private} }}
  map to_public {{ type ipv4_addr : ipv4_addr; {to_public} }}
  set filtered {{ type ipv4_addr; {filtered} }}
  set private {{ type ipv4_addr; flags interval; auto-merge; {private} }}
{group_sets}
  chain prerouting {{
    type nat hook prerouting priority dstnat;
    dnat ip to ip daddr map @to_private
  }}
  chain postrouting {{
    type nat hook postrouting priority srcnat;
    oifname "outside" snat ip to ip saddr map @to_public
  }}
  chain egress {{
{egress}
    drop
  }}
  chain ingress {{
{ingress}
    drop
  }}
  chain forward {{
    type filter hook forward priority filter; policy accept;
    ct state established,related accept
    iifname "outside" ip daddr @private ct status & dnat != dnat drop
    ip saddr @filtered jump egress
    ip daddr @filtered jump ingress
  }}
}}
"""


@dataclass(frozen=True)
class Rule:
    """One permission of a security group: a protocol ("-1" is all), ports of TCP and UDP, and the other side."""

    protocol: str
    first_port: int
    last_port: int
    peer: ipaddress.IPv4Network | str
    """A range of addresses, or the id of a security group."""

    def match(self, direction: str) -> str:
        """The rule as nftables says it; `direction` names the peer's address: `saddr` or `daddr`."""
        if isinstance(self.peer, ipaddress.IPv4Network):
            peer = f"ip {direction} {self.peer}"
        else:
            # a group stands for its members' own addresses: who comes in by a translated one is outside
            peer = f"ip {direction} @{group_set(self.peer)} ct status & dnat != dnat"
        if self.protocol == "-1":
            return peer
        if self.protocol in ("tcp", "udp"):
            return f"{peer} {self.protocol} dport {self.first_port}-{self.last_port}"
        return f"{peer} meta l4proto {self.protocol}"


@dataclass
class Group:
    """A security group: what may come in and what may go out."""

    ingress: dict[str, Rule] = field(default_factory=dict)
    egress: dict[str, Rule] = field(default_factory=dict)


@dataclass(frozen=True)
class Plain:
    """A plain network: a layer 2 of its own, as behind a switch.

    `routed`: the router is its gateway, and the outside finds its hosts; otherwise they find each other only.
    """

    name: str
    """The router's bridge: 15 characters at most."""
    subnet: ipaddress.IPv4Network
    routed: bool


@dataclass
class Port:
    """One interface of a host."""

    name: str
    """The router's end of its link: 15 characters at most, no dot."""
    interface: str
    """The host's end."""
    address: str
    subnet: ipaddress.IPv4Network
    groups: tuple[str, ...] | None
    """The security groups that say what passes; None: everything does."""
    public: str | None = None
    """Where the outside finds it: its own address, or one that the router translates to it; None: nowhere."""
    plain: Plain | None = None
    """The plain network that it is on; None: a cloud's."""

    @property
    def gateway(self) -> str:
        return gateway(self.subnet)


@dataclass(frozen=True)
class Host:
    """A network namespace and its ports; by the first one it reaches what none of their subnets holds."""

    name: str
    ports: tuple[Port, ...]

    @property
    def namespace(self) -> Path:
        return NETNS / self.name

    @property
    def address(self) -> str:
        """What the region's other hosts know it by: the address of its last port, the private one where it has two."""
        return self.ports[-1].address

    @property
    def public(self) -> str | None:
        """Where the outside finds it."""
        return self.ports[0].public

    def port(self, interface: str) -> Port:
        """The port of an interface's name. Raises `KeyError` when it has none."""
        for port in self.ports:
            if port.interface == interface:
                return port
        known = ", ".join(port.interface for port in self.ports)
        raise KeyError(f"{self.name} has no interface {interface}; it has: {known}")


def gateway(subnet: ipaddress.IPv4Network) -> str:
    return str(subnet.network_address + 1)


def group_set(group: str) -> str:
    """A security group's set of members; ids may hold what nftables allows in no name."""
    return "group_" + re.sub(r"[^A-Za-z0-9]", lambda other: f"_{ord(other[0]):x}_", group)


def elements(members: Iterable[str]) -> str:
    listed = ", ".join(members)
    return f"elements = {{ {listed} }}" if listed else ""


def ip(namespace: str, *commands: str) -> None:
    """Run commands of ip(8) in a namespace; the first that fails is the last."""
    run("ip", "-n", namespace, "-batch", "-", stdin="\n".join(commands))


class Network:
    """The router, its hosts and their security groups. All methods may be called from any thread."""

    def __init__(self, operator: ipaddress.IPv4Interface, outsider: ipaddress.IPv4Interface) -> None:
        """Join this process's namespace, as the operator, to a new router.

        `operator`: the address that the engine and the probes come from; `outsider`: a second address
        of the same namespace, from which a test knocks on what must be closed to strangers.
        """
        self.outside = [operator.network, outsider.network]
        self.groups: dict[str, Group] = {}
        self._hosts: dict[str, Host] = {}
        self._lock = threading.RLock()
        self._taken: dict[ipaddress.IPv4Network, itertools.count[int]] = {}
        self._numbers = itertools.count(1)
        run("ip", "link", "set", "lo", "up")
        run("ip", "netns", "add", "region")
        run("ip", "link", "add", "outside", "type", "veth", "peer", "name", "outside", "netns", "region")
        for address in (operator, outsider):
            run("ip", "addr", "add", str(address), "dev", "outside")
            ip("region", f"addr add {router_side(address)}/{address.network.prefixlen} dev outside")
        run("ip", "link", "set", "outside", "up")
        ip("region", "link set lo up", "link set outside up", f"addr add {RESOLVER}/32 dev lo")
        run("ip", "route", "add", "default", "via", router_side(operator), "src", str(operator.ip))
        self._sysctl("net.ipv4.ip_forward=1")
        self.apply()

    def new_port(
        self, interface: str, subnet: ipaddress.IPv4Network, groups: tuple[str, ...], *, public: bool = False
    ) -> Port:
        """A port at the next free address of a private subnet; `public`: the router translates a public one to it."""
        address = self._address_in(subnet)
        return Port(self._port_name(), interface, address, subnet, groups, self._address_in(PUBLIC) if public else None)

    def new_public_port(self, interface: str, groups: tuple[str, ...]) -> Port:
        """A port whose own address is a public one."""
        address = self._address_in(PUBLIC)
        return Port(self._port_name(), interface, address, PUBLIC, groups, address)

    def new_plain(self, plain: Plain) -> None:
        ip("region", f"link add {plain.name} type bridge", f"link set {plain.name} up")
        if plain.routed:
            ip("region", f"addr add {gateway(plain.subnet)}/{plain.subnet.prefixlen} dev {plain.name}")

    def new_plain_port(self, interface: str, plain: Plain, address: str) -> Port:
        """A port at a given address of a plain network."""
        public = address if plain.routed else None
        return Port(self._port_name(), interface, address, plain.subnet, None, public, plain)

    def plug(self, host: Host, *, configured: bool) -> None:
        """Give a host a namespace with fresh interfaces: what a reboot forgets must be forgotten.

        `configured`: set its addresses here (a service); a machine does that itself, by cloud-init.
        """
        with self._lock:
            self.unplug(host)
            run("ip", "netns", "add", host.name)
            for port in host.ports:
                ip("region", f"link add {port.name} type veth peer name {port.interface} netns {host.name}")
                if port.plain:
                    ip("region", f"link set {port.name} master {port.plain.name}")
                else:
                    # hosts of one subnet reach each other through the router, as in a VPC; at once, not after a
                    # random delay
                    self._sysctl(f"net.ipv4.conf.{port.name}.proxy_arp=1", f"net.ipv4.neigh.{port.name}.proxy_delay=0")
                    ip("region", f"addr add {port.gateway}/32 dev {port.name}")
                self.restore(port)
            if configured:
                ip(
                    host.name,
                    "link set lo up",
                    *(f"addr add {port.address}/{port.subnet.prefixlen} dev {port.interface}" for port in host.ports),
                    *(f"link set {port.interface} up" for port in host.ports),
                    f"route add default via {host.ports[0].gateway}",
                )
            self._hosts[host.name] = host
            self.apply()

    def cut(self, *ports: Port) -> None:
        """Take links away without a word to anyone; their host sees the carrier go.

        As a group, which the kernel takes down in one go: a host that sees one link go says so by those it still has,
        and a balancer that has said so is followed within 0.1 s.
        """
        ip("region", *(f"link set {port.name} group {CUT}" for port in ports), f"link set group {CUT} down")

    def restore(self, port: Port) -> None:
        """Bring a link up."""
        ip("region", f"link set {port.name} group default up")
        if not port.plain:
            ip("region", f"route replace {port.address}/32 dev {port.name}")

    def unplug(self, host: Host) -> None:
        """Remove a host's namespace and links, if it has them."""
        with self._lock:
            if self._hosts.pop(host.name, None):
                ip("region", *(f"link del {port.name}" for port in host.ports))
                run("ip", "netns", "del", host.name)
                self.apply()

    def put_in_groups(self, host: Host, groups: tuple[str, ...]) -> None:
        """Let these security groups, and no others, say what passes at all of a host's ports."""
        for port in host.ports:
            port.groups = groups
        self.apply()

    def apply(self) -> None:
        """Put the security groups as they now stand into force, in one transaction."""
        with self._lock:
            # stand-ins add to them meanwhile: first the rules, so that every group that one names is among the sets
            groups = {name: Group(dict(at.ingress), dict(at.egress)) for name, at in dict(self.groups).items()}
            members = list(self.groups)
            ports = [port for host in self._hosts.values() for port in host.ports]
            translated = [(port.public, port.address) for port in ports if port.public not in (None, port.address)]
            rules = RULES.format(
                to_private=elements(f"{outer} : {inner}" for outer, inner in translated),
                to_public=elements(f"{inner} : {outer}" for outer, inner in translated),
                filtered=elements(port.address for port in ports if port.groups is not None),
                private=elements({str(port.subnet) for port in ports if port.public != port.address}),
                group_sets="\n".join(
                    f"  set {group_set(group)} {{ type ipv4_addr; "
                    f"{elements(port.address for port in ports if group in (port.groups or ()))} }}"
                    for group in members
                ),
                egress="\n".join(
                    f"    ip saddr @{group_set(name)} {rule.match('daddr')} return"
                    for name, group in groups.items()
                    for rule in group.egress.values()
                ),
                ingress="\n".join(
                    f"    ip daddr @{group_set(name)} {rule.match('saddr')} accept"
                    for name, group in groups.items()
                    for rule in group.ingress.values()
                ),
            )
            run("nsenter", f"--net={ROUTER}", "nft", "-f", "-", stdin=rules)

    def _address_in(self, subnet: ipaddress.IPv4Network) -> str:
        """The next free address; a cloud keeps the first four of a subnet to itself."""
        with self._lock:
            return str(subnet.network_address + next(self._taken.setdefault(subnet, itertools.count(4))))

    def _port_name(self) -> str:
        return f"port{next(self._numbers)}"

    def _sysctl(self, *settings: str) -> None:
        run("nsenter", f"--net={ROUTER}", "sysctl", "-qw", *settings)


def router_side(address: ipaddress.IPv4Interface) -> str:
    """The router's own address in an outside network: its last one, so that the operator may have any other."""
    return str(address.network.broadcast_address - 1)
