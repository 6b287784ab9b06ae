"""Cloud firewalls: the traffic that a droplet accepts and sends, chosen by the droplet's tags and id.

A droplet without a firewall is open. One with several passes the traffic that any of their rules allows, on all its
interfaces and in both directions, and no other (DigitalOcean documentation, "How to Configure Firewall Rules").
"""

from __future__ import annotations

import ipaddress
import threading
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import AfterValidator

from rehearsal.plugins.digitalocean.resource_type import (
    DigitalOceanResourceType,
    InputModel,
    Name,
    Properties,
    Refused,
    Tag,
    matching,
    now,
)
from rehearsal.region.firewall import Group, Rule
from rehearsal.region.region import Region

ANYONE = Rule("-1", 0, 0, ipaddress.IPv4Network("0.0.0.0/0"))
OPEN = "open"
"""The security group of a host without a firewall."""

RULES, TAGS, DROPLETS, PEERS = 50, 5, 10, 1000
"""Limits per firewall, and of sources or destinations per rule (DigitalOcean documentation, "Firewalls Limits")."""

_one_at_a_time = threading.Lock()


def _range(value: str) -> str:
    ipaddress.ip_network(value)
    return value


Address = Annotated[str, AfterValidator(_range)]
Ports = Annotated[str, matching(r"\d{1,5}(-\d{1,5})?|all", "a port, a range of ports or all")]


class InboundRule(InputModel):
    protocol: Literal["tcp", "udp", "icmp"]
    port_range: Ports | None = None
    source_addresses: list[Address] = []
    source_tags: list[Tag] = []
    source_droplet_ids: list[int] = []
    source_load_balancer_uids: list[str] = []

    @property
    def side(self) -> Side:
        return Side(
            self.source_addresses, self.source_tags, self.source_droplet_ids, self.source_load_balancer_uids
        )  # fmt: skip


class OutboundRule(InputModel):
    protocol: Literal["tcp", "udp", "icmp"]
    port_range: Ports | None = None
    destination_addresses: list[Address] = []
    destination_tags: list[Tag] = []
    destination_droplet_ids: list[int] = []
    destination_load_balancer_uids: list[str] = []

    @property
    def side(self) -> Side:
        return Side(
            self.destination_addresses, self.destination_tags, self.destination_droplet_ids,
            self.destination_load_balancer_uids,
        )  # fmt: skip


@dataclass(frozen=True)
class Side:
    """The sources or destinations of a rule."""

    addresses: list[str]
    tags: list[str]
    droplets: list[int]
    balancers: list[str]

    def __bool__(self) -> bool:
        return bool(self.addresses or self.tags or self.droplets or self.balancers)

    def peers(self) -> Iterator[ipaddress.IPv4Network | str]:
        """The sources or destinations as networks and security groups of the router, which has no IPv6."""
        for address in self.addresses:
            network = ipaddress.ip_network(address)
            if isinstance(network, ipaddress.IPv4Network):
                yield network
        yield from map(of_tag, self.tags)
        yield from map(of_droplet, self.droplets)
        yield from self.balancers


class FirewallInputs(InputModel):
    name: Name
    tags: list[Tag] = []
    droplet_ids: list[int] = []
    inbound_rules: list[InboundRule] = []
    outbound_rules: list[OutboundRule] = []


class Firewall(DigitalOceanResourceType[FirewallInputs]):
    token = "digitalocean:index/firewall:Firewall"
    in_place = frozenset({"name", "tags", "droplet_ids", "inbound_rules", "outbound_rules"})
    computed = frozenset({"createdAt", "pendingChanges", "status"})

    def check(self, inputs: Properties) -> Iterator[tuple[str, str]]:
        if not (inputs.get("inboundRules") or inputs.get("outboundRules")):
            yield "", f"{self.token}: At least one rule must be specified"
        for where in ("inboundRules", "outboundRules"):
            rules = inputs.get(where)
            for rule in rules if isinstance(rules, list) else []:
                if isinstance(rule, dict) and rule.get("protocol") in ("tcp", "udp") and not rule.get("portRange"):
                    yield where, f"{self.token}: `port_range` is required if protocol is `tcp` or `udp`"

    def on_create(self, resource_id: str, inputs: FirewallInputs) -> Properties:
        self.refuse(inputs)
        return {"createdAt": now(), "pendingChanges": [], "status": "succeeded"}

    def on_update(self, resource_id: str, old: FirewallInputs, new: FirewallInputs) -> Properties:
        self.refuse(new)
        return {}

    def on_delete(self, resource_id: str, inputs: FirewallInputs) -> None:
        self.region.network.groups.pop(resource_id)

    def after_change(self) -> None:
        enforce(self.region)

    def refuse(self, inputs: FirewallInputs) -> None:
        """Raise the API's error for inputs that it refuses."""
        rules: list[InboundRule | OutboundRule] = [*inputs.inbound_rules, *inputs.outbound_rules]
        for count, limit, what in (
            (len(rules), RULES, "rules"),
            (len(inputs.tags), TAGS, "tags"),
            (len(inputs.droplet_ids), DROPLETS, "droplets"),
        ):
            if count > limit:
                raise Refused(f"{self.token}: 422 {inputs.name} has {count} {what}; {limit} are allowed")
        if any(len(list(rule.side.peers())) > PEERS for rule in rules):
            raise Refused(f"{self.token}: 422 a rule of {inputs.name} has over {PEERS} sources or destinations")
        if not all(rule.side for rule in rules):
            raise Refused(f"{self.token}: 422 a rule of {inputs.name} has no source or destination")
        require_tags(self.region, self.token, [*inputs.tags, *(tag for rule in rules for tag in rule.side.tags)])


def require_tags(region: Region, token: str, tags: Iterable[str]) -> None:
    """Raise `Refused` for a tag that no resource has: "Tag names must exist in order to be referenced in a request"."""
    for tag in tags:
        used = any(tag in getattr(record.inputs, "tags", ()) for record in list(region.records.values()))
        if not (tag in region.records or used):
            raise Refused(f"{token}: 422 the tag {tag} does not exist")


def of_tag(tag: str) -> str:
    """The security group of all droplets with a tag."""
    return f"tag:{tag}"


def of_droplet(droplet: str | int) -> str:
    """The security group of one droplet."""
    return f"droplet:{droplet}"


def groups_of(region: Region, droplet: str, tags: Iterable[str]) -> tuple[str, ...]:
    """The security groups of a droplet: its firewalls, and the groups by which rules refer to it."""
    firewalls = [
        key
        for key, record in list(region.records.items())
        if record.token == Firewall.token
        and (int(droplet) in record.inputs.droplet_ids or set(tags) & set(record.inputs.tags))
    ]
    return (*(firewalls or [OPEN]), of_droplet(droplet), *map(of_tag, tags))


def enforce(region: Region) -> None:
    """Bring the router in line with the droplets, tags and firewalls that exist."""
    with _one_at_a_time:
        groups = region.network.groups
        for key, record in list(region.records.items()):
            if record.token == Firewall.token:
                firewall = Group(permissions(record.inputs.inbound_rules), permissions(record.inputs.outbound_rules))
                name_peers(groups, firewall)
                groups[key] = firewall
        for key, machine in list(region.machines.items()):
            if key in region.records:
                region.network.put_in_groups(machine.endpoint, groups_of(region, key, region.records[key].inputs.tags))
        region.network.apply()


def permissions(rules: Sequence[InboundRule | OutboundRule]) -> dict[str, Rule]:
    """The rules in the router's form, one for each peer."""
    every = [
        Rule(rule.protocol, *ports(rule.port_range), peer) for rule in rules for peer in rule.side.peers()
    ]  # fmt: skip
    return {str(number): rule for number, rule in enumerate(every)}


def name_peers(groups: dict[str, Group], group: Group) -> None:
    """Add each security group that a rule refers to, so that the router knows it before it has members."""
    for rule in (*group.ingress.values(), *group.egress.values()):
        if isinstance(rule.peer, str):
            groups.setdefault(rule.peer, Group())


def ports(port_range: str | None) -> tuple[int, int]:
    if port_range in (None, "all"):
        return 1, 65535
    first, _, last = port_range.partition("-")
    return int(first), int(last or first)


RESOURCE_TYPES = [Firewall]
