"""The rehearsal's network: the operator, a router that stands for the region, a namespace per host.

The operator (the namespace that the engine and the probes run in) has an address outside of the region.
Every host hangs on a veth pair of its own behind the router, so that each packet between two hosts, or
between a host and the outside, crosses the router's forward chain: there the security groups are nftables
rules, as a cloud enforces them, outside of the machine.
"""

from __future__ import annotations

import ipaddress
import itertools
import threading
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from rehearsal.shell import run

RESOLVER = "169.254.169.253"
"""Where a VPC's name server answers (Amazon VPC user guide, "DNS attributes for your VPC")."""

NETNS = Path("/run/netns")
ROUTER = NETNS / "region"

RULES = """\
table inet region
delete table inet region
table inet region {{
  map to_private {{ type ipv4_addr : ipv4_addr; {to_private} }}
  map to_public {{ type ipv4_addr : ipv4_addr; {to_public} }}
  set hosts {{ type ipv4_addr; {hosts} }}
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
    type filter hook forward priority filter; policy drop;
    ct state established,related accept
    ip saddr @hosts jump egress
    ip daddr @hosts jump ingress
    oifname "outside" accept
  }}
}}
"""


@dataclass(frozen=True)
class Rule:
    """One permission of a security group: a protocol ("-1" is all), ports, and the other side."""

    protocol: str
    first_port: int
    last_port: int
    peer: str
    """A CIDR block, or the id of a security group."""

    def match(self, direction: str) -> str:
        """The rule as nftables says it; `direction` names the peer's address: `saddr` or `daddr`."""
        # a reference to a group holds for private addresses only: who comes in by a public one is outside
        peer = f"@{group_set(self.peer)} ct status & dnat != dnat" if self.peer.startswith("sg-") else self.peer
        if self.protocol == "-1":
            return f"ip {direction} {peer}"
        if self.protocol == "icmp":
            return f"ip {direction} {peer} meta l4proto icmp"
        return f"ip {direction} {peer} {self.protocol} dport {self.first_port}-{self.last_port}"


@dataclass
class Group:
    """A security group: what may come in and what may go out."""

    ingress: dict[str, Rule] = field(default_factory=dict)
    egress: dict[str, Rule] = field(default_factory=dict)


@dataclass
class Port:
    """One host's place in the network."""

    name: str
    """The router's interface: 15 characters at most."""
    address: str
    subnet: ipaddress.IPv4Network
    groups: tuple[str, ...]
    public: str | None = None
    interface: str = "ens5"

    @property
    def gateway(self) -> str:
        return str(self.subnet.network_address + 1)

    @property
    def namespace(self) -> Path:
        return NETNS / self.name


def group_set(group: str) -> str:
    return group.replace("-", "_")


def elements(members: Iterable[str]) -> str:
    listed = ", ".join(members)
    return f"elements = {{ {listed} }}" if listed else ""


class Network:
    """The router, its hosts and their security groups. All methods may be called from any thread."""

    def __init__(self, operator: ipaddress.IPv4Interface, outsider: ipaddress.IPv4Interface) -> None:
        """Join this process's namespace, as the operator, to a new router.

        `operator`: the address that the engine and the probes come from; `outsider`: a second address
        of the same namespace, from which a test knocks on what must be closed to strangers.
        """
        self.groups: dict[str, Group] = {}
        self._ports: dict[str, Port] = {}
        self._lock = threading.RLock()
        self._public = (str(host) for host in ipaddress.IPv4Network("198.51.100.0/24").hosts())
        self._taken: dict[ipaddress.IPv4Network, itertools.count[int]] = {}
        run("ip", "link", "set", "lo", "up")
        run("ip", "netns", "add", "region")
        run("ip", "link", "add", "outside", "type", "veth", "peer", "name", "outside", "netns", "region")
        for address in (operator, outsider):
            run("ip", "addr", "add", str(address), "dev", "outside")
            run(
                "ip",
                "-n",
                "region",
                "addr",
                "add",
                f"{router_side(address)}/{address.network.prefixlen}",
                "dev",
                "outside",
            )
        run("ip", "link", "set", "outside", "up")
        for link in ("lo", "outside"):
            run("ip", "-n", "region", "link", "set", link, "up")
        run("ip", "-n", "region", "addr", "add", f"{RESOLVER}/32", "dev", "lo")
        run("ip", "route", "add", "default", "via", router_side(operator), "src", str(operator.ip))
        self._sysctl("net.ipv4.ip_forward=1")
        self.apply()

    def address_in(self, subnet: ipaddress.IPv4Network) -> str:
        """The next free private address; a cloud keeps the first four of a subnet to itself."""
        with self._lock:
            count = self._taken.setdefault(subnet, itertools.count(4))
            return str(subnet.network_address + next(count))

    def public_address(self) -> str:
        with self._lock:
            return next(self._public)

    def plug(self, port: Port, *, configured: bool) -> None:
        """Give a host a namespace with a fresh interface: what a reboot forgets must be forgotten.

        `configured`: set its address here (a service); a machine does that itself, by cloud-init.
        """
        with self._lock:
            self.unplug(port)
            run("ip", "netns", "add", port.name)
            run(
                "ip",
                "-n",
                "region",
                "link",
                "add",
                port.name,
                "type",
                "veth",
                "peer",
                "name",
                port.interface,
                "netns",
                port.name,
            )
            # hosts of one subnet reach each other through the router, as in a VPC; at once, not after a random delay
            self._sysctl(f"net.ipv4.conf.{port.name}.proxy_arp=1", f"net.ipv4.neigh.{port.name}.proxy_delay=0")
            run("ip", "-n", "region", "addr", "add", f"{port.gateway}/32", "dev", port.name)
            run("ip", "-n", "region", "link", "set", port.name, "up")
            run("ip", "-n", "region", "route", "replace", f"{port.address}/32", "dev", port.name)
            if configured:
                run(
                    "ip",
                    "-n",
                    port.name,
                    "addr",
                    "add",
                    f"{port.address}/{port.subnet.prefixlen}",
                    "dev",
                    port.interface,
                )
                for link in ("lo", port.interface):
                    run("ip", "-n", port.name, "link", "set", link, "up")
                run("ip", "-n", port.name, "route", "add", "default", "via", port.gateway)
            self._ports[port.name] = port
            self.apply()

    def cut(self, port: Port) -> None:
        """Take the link away without a word to anyone, as a power loss does."""
        run("ip", "-n", "region", "link", "set", port.name, "down")

    def unplug(self, port: Port) -> None:
        """Remove a host's namespace and link, if it has them."""
        with self._lock:
            if self._ports.pop(port.name, None):
                run("ip", "-n", "region", "link", "del", port.name)
                run("ip", "netns", "del", port.name)
                self.apply()

    def apply(self) -> None:
        """Put the security groups as they now stand into force, in one transaction."""
        with self._lock:
            ports = list(self._ports.values())
            public = [(port.public, port.address) for port in ports if port.public]
            rules = RULES.format(
                to_private=elements(f"{outer} : {inner}" for outer, inner in public),
                to_public=elements(f"{inner} : {outer}" for outer, inner in public),
                hosts=elements(port.address for port in ports),
                group_sets="\n".join(
                    f"  set {group_set(group)} {{ type ipv4_addr; "
                    f"{elements(port.address for port in ports if group in port.groups)} }}"
                    for group in self.groups
                ),
                egress="\n".join(
                    f"    ip saddr @{group_set(name)} {rule.match('daddr')} return"
                    for name, group in self.groups.items()
                    for rule in group.egress.values()
                ),
                ingress="\n".join(
                    f"    ip daddr @{group_set(name)} {rule.match('saddr')} accept"
                    for name, group in self.groups.items()
                    for rule in group.ingress.values()
                ),
            )
            run("nsenter", f"--net={ROUTER}", "nft", "-f", "-", stdin=rules)

    def _sysctl(self, *settings: str) -> None:
        run("nsenter", f"--net={ROUTER}", "sysctl", "-qw", *settings)


def router_side(address: ipaddress.IPv4Interface) -> str:
    """The router's own address in an outside network: its last one, so that the operator may have any other."""
    return str(address.network.broadcast_address - 1)
