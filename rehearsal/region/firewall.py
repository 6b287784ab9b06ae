"""Security groups as nftables rules of the router, so that a machine cannot change them.

The chains `egress` and `ingress` hold one rule per permission. A packet of a filtered endpoint passes when a rule of
the sender's groups returns it from `egress` and a rule of the receiver's groups accepts it in `ingress`.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from rehearsal.region.endpoint import Port

RULESET = """\
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
    """One permission of a security group: a protocol ("-1" is all), TCP or UDP ports, and the peers it admits."""

    protocol: str
    first_port: int
    last_port: int
    peer: ipaddress.IPv4Network | str
    """A range of addresses, or the id of a security group."""

    def match(self, direction: str) -> str:
        """Return the nftables expression that matches it; `direction` is the peer's address: `saddr` or `daddr`."""
        if isinstance(self.peer, ipaddress.IPv4Network):
            peer = f"ip {direction} {self.peer}"
        else:
            # A group admits its members at their private addresses. A connection to a translated address counts as one
            # from outside, as in a VPC.
            peer = f"ip {direction} @{group_set(self.peer)} ct status & dnat != dnat"
        if self.protocol == "-1":
            return peer
        if self.protocol in ("tcp", "udp"):
            return f"{peer} {self.protocol} dport {self.first_port}-{self.last_port}"
        return f"{peer} meta l4proto {self.protocol}"


@dataclass
class Group:
    """A security group: the rules of each direction by their ids."""

    ingress: dict[str, Rule] = field(default_factory=dict)
    egress: dict[str, Rule] = field(default_factory=dict)


def ruleset(groups: Mapping[str, Group], ports: list[Port]) -> str:
    """Return the router's whole ruleset, as text for `nft -f`.

    `groups` may grow while this reads it: the stand-ins work in parallel. The rules are copied before the list of the
    groups' ids, so that every group that a copied rule names has a set.
    """
    rules = {name: Group(dict(group.ingress), dict(group.egress)) for name, group in dict(groups).items()}
    ids = list(groups)
    translated = [(port.public, port.address) for port in ports if port.public not in (None, port.address)]
    return RULESET.format(
        to_private=elements(f"{public} : {private}" for public, private in translated),
        to_public=elements(f"{private} : {public}" for public, private in translated),
        filtered=elements(port.address for port in ports if port.groups is not None),
        private=elements({str(port.subnet) for port in ports if port.public != port.address}),
        group_sets="\n".join(
            f"  set {group_set(group)} {{ type ipv4_addr; "
            f"{elements(port.address for port in ports if group in (port.groups or ()))} }}"
            for group in ids
        ),
        egress="\n".join(
            f"    ip saddr @{group_set(name)} {rule.match('daddr')} return"
            for name, group in rules.items()
            for rule in group.egress.values()
        ),
        ingress="\n".join(
            f"    ip daddr @{group_set(name)} {rule.match('saddr')} accept"
            for name, group in rules.items()
            for rule in group.ingress.values()
        ),
    )


def group_set(group: str) -> str:
    """Name of the nftables set of a security group's members; other characters of the id are escaped."""
    return "group_" + re.sub(r"[^A-Za-z0-9]", lambda other: f"_{ord(other[0]):x}_", group)


def elements(members: Iterable[str]) -> str:
    """The `elements` clause of a set or map; empty without members, where nftables allows no clause."""
    listed = ", ".join(members)
    return f"elements = {{ {listed} }}" if listed else ""
