"""Load balancer: HAProxy with the health check's own settings, in front of the droplets that it finds by tag or id."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from ipaddress import IPv4Network
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from rehearsal.plugins.digitalocean import firewall
from rehearsal.plugins.digitalocean.network import Vpc
from rehearsal.plugins.digitalocean.resource_type import (
    DigitalOceanResourceType,
    InputModel,
    Name,
    Properties,
    Refused,
    RegionSlug,
    Tag,
)
from rehearsal.region.endpoint import Endpoint
from rehearsal.region.firewall import Group, Rule
from rehearsal.region.load_balancer import HealthCheck, Listener, TargetGroup
from rehearsal.region.region import Region

DROPLET = "digitalocean:index/droplet:Droplet"
REDIRECT = 307
"""The status code of a redirect. The documentation names none; this one keeps the request's method."""

Port = Annotated[int, Field(ge=1, le=65535)]
Seconds = Annotated[int, Field(ge=3, le=300)]
Threshold = Annotated[int, Field(ge=2, le=10)]

_one_at_a_time = threading.Lock()


class ForwardingRule(InputModel):
    entry_protocol: Literal["http", "https"]
    entry_port: Port
    target_protocol: Literal["http"]
    target_port: Port
    certificate_name: str | None = None


class Healthcheck(InputModel):
    protocol: Literal["http"]
    port: Port
    path: str
    check_interval_seconds: Seconds = 10
    response_timeout_seconds: Seconds = 5
    healthy_threshold: Threshold = 5
    unhealthy_threshold: Threshold = 3


def _source(rule: str) -> str:
    kind, _, source = rule.partition(":")
    if kind not in ("ip", "cidr") or ("/" in source) is (kind == "ip"):
        raise ValueError(f"422 {rule!r} is not a rule such as ip:1.2.3.4 or cidr:1.2.0.0/16")
    IPv4Network(source)
    return rule


class BalancerFirewall(InputModel):
    """The sources that a load balancer admits; anyone if there are none.

    `denies` is not supported, as no document says which of an allow and a deny rule wins. IPv6 ranges are refused: a
    load balancer that got some admitted everyone (digitalocean/digitalocean-cloud-controller-manager#692).
    """

    allows: list[Annotated[str, AfterValidator(_source)]] = []

    @property
    def sources(self) -> list[IPv4Network]:
        return [IPv4Network(rule.partition(":")[2]) for rule in self.allows]


class LoadBalancerInputs(InputModel):
    name: Name
    region: RegionSlug
    vpc_uuid: str
    size_unit: Annotated[int, Field(ge=1, le=200)] = 1
    droplet_ids: list[int] = []
    droplet_tag: Tag | None = None
    forwarding_rules: Annotated[list[ForwardingRule], Field(min_length=1)]
    healthcheck: Healthcheck
    redirect_http_to_https: bool = False
    firewall: BalancerFirewall = BalancerFirewall()


class LoadBalancer(DigitalOceanResourceType[LoadBalancerInputs]):
    """A load balancer; for HTTPS, the rehearsal's own authority signs the domains of its certificate."""

    token = "digitalocean:index/loadBalancer:LoadBalancer"
    replaces = frozenset({"region", "vpcUuid"})
    in_place = frozenset({
        "name", "size_unit", "droplet_ids", "droplet_tag", "forwarding_rules", "healthcheck", "redirect_http_to_https",
        "firewall",
    })  # fmt: skip
    computed = frozenset({"ip", "ipv6", "loadBalancerUrn", "status"})
    conflicts = (("dropletIds", "dropletTag"),)
    may_outlive = frozenset({firewall.Firewall.token})

    def on_create(self, resource_id: str, inputs: LoadBalancerInputs) -> Properties:
        self.refuse(inputs)
        vpc = self.inputs_of(Vpc, inputs.vpc_uuid)
        if vpc.region != inputs.region:
            raise Refused(f"{self.token}: 422 the VPC {vpc.name} is in {vpc.region}, {inputs.name} in {inputs.region}")
        network, groups = self.region.network, self.groups_of(resource_id, inputs)
        public, private = network.new_public_port("eth0", groups), network.new_port("eth1", vpc.ip_range, groups)
        self.region.new_balancer(resource_id, inputs.name, Endpoint(f"lb-{resource_id[:8]}", (public, private)))
        return {
            "ip": public.address,
            "ipv6": "",
            "loadBalancerUrn": f"do:loadbalancer:{resource_id}",
            "status": "active",
        }

    def on_update(self, resource_id: str, old: LoadBalancerInputs, new: LoadBalancerInputs) -> Properties:
        self.refuse(new)
        self.region.network.put_in_groups(self.region.balancers[resource_id].endpoint, self.groups_of(resource_id, new))
        return {}

    def on_delete(self, resource_id: str, inputs: LoadBalancerInputs) -> None:
        self.region.balancers.pop(resource_id).destroy()
        self.region.network.groups.pop(admitted_by(resource_id), None)

    def groups_of(self, resource_id: str, inputs: LoadBalancerInputs) -> tuple[str, str]:
        """The security groups of a load balancer: its firewall's, and the one by which droplets' rules refer to it."""
        sources = inputs.firewall.sources
        if not sources:
            return firewall.OPEN, resource_id
        admitted = admitted_by(resource_id)
        self.region.network.groups[admitted] = Group(
            {str(source): Rule("-1", 0, 0, source) for source in sources}, {"out": firewall.ANYONE}
        )
        return admitted, resource_id

    def after_change(self) -> None:
        find_droplets(self.region)

    def refuse(self, inputs: LoadBalancerInputs) -> None:
        """Raise the API's error for inputs that it refuses."""
        entries = [rule.entry_port for rule in inputs.forwarding_rules]
        if len(entries) != len(set(entries)):
            raise Refused(f"{self.token}: 422 {inputs.name} has two forwarding rules for one port")
        if any(rule.entry_protocol == "https" and not rule.certificate_name for rule in inputs.forwarding_rules):
            raise Refused(f"{self.token}: 422 {inputs.name} needs a certificate for https")
        for rule in inputs.forwarding_rules:
            if rule.certificate_name and not self.region.certificate(rule.certificate_name):
                raise Refused(f"{self.token}: 422 {inputs.name}: certificate {rule.certificate_name} not found")
        if inputs.redirect_http_to_https and not any(
            rule.entry_protocol == "https" for rule in inputs.forwarding_rules
        ):
            raise Refused(f"{self.token}: 422 {inputs.name} redirects to https and has no forwarding rule for it")
        if inputs.droplet_tag:
            firewall.require_tags(self.region, self.token, [inputs.droplet_tag])


def admitted_by(balancer: str) -> str:
    """The security group of a load balancer with a firewall."""
    return f"balancer:{balancer}"


def find_droplets(region: Region) -> None:
    """Bring each load balancer in line with its settings and with the droplets that exist."""
    with _one_at_a_time:
        for key, balancer in list(region.balancers.items()):
            if key not in region.records:
                continue
            inputs = region.records[key].inputs
            targets = dict(droplets_of(region, inputs))
            listeners, groups = {}, {}
            for rule in inputs.forwarding_rules:
                name, certificate = f"port{rule.entry_port}", region.certificate(rule.certificate_name or "")
                listener = Listener(rule.entry_port, certificate, name)
                if inputs.redirect_http_to_https and not certificate:
                    listener = Listener(rule.entry_port, redirect_port=443, redirect_code=REDIRECT)
                listeners[name] = listener
                groups[name] = TargetGroup(rule.target_port, health_check(inputs.healthcheck), targets, fail_open=False)
            if (balancer.listeners, balancer.groups) != (listeners, groups):
                balancer.listeners, balancer.groups = listeners, groups
                balancer.apply()


def droplets_of(region: Region, inputs: LoadBalancerInputs) -> Iterator[tuple[str, str]]:
    """The droplets behind a load balancer, as pairs of an id and a private address."""
    for key, machine in list(region.machines.items()):
        droplet = region.records[key].inputs if key in region.records else None
        if droplet and (int(key) in inputs.droplet_ids or inputs.droplet_tag in droplet.tags):
            yield key, machine.endpoint.address


def health_check(check: Healthcheck) -> HealthCheck:
    return HealthCheck(
        check.path, check.port, check.check_interval_seconds, check.response_timeout_seconds, check.healthy_threshold,
        check.unhealthy_threshold, "200-299",
    )  # fmt: skip


RESOURCE_TYPES = [LoadBalancer]
