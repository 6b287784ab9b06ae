"""Application load balancer: HAProxy with the target group's settings."""

from __future__ import annotations

import secrets
from typing import Literal

from rehearsal.plugins.aws.network import Subnet
from rehearsal.plugins.aws.resource_type import AwsResourceType, InputModel, Properties, Refused, Tags
from rehearsal.region.ca import Certificate
from rehearsal.region.endpoint import Endpoint
from rehearsal.region.load_balancer import HealthCheck, Listener, TargetGroup

HOSTED_ZONE = "Z35SXDOTRQ7X7K"
"""Hosted zone of the load balancers' names in us-east-1 (AWS General Reference, "Elastic Load Balancing endpoints")."""


class LoadBalancerInputs(InputModel):
    name: str
    internal: bool = False
    load_balancer_type: Literal["application"] = "application"
    security_groups: list[str]
    subnets: list[str]
    idle_timeout: int = 60
    drop_invalid_header_fields: bool = False
    enable_deletion_protection: bool = False
    tags: Tags = {}


class LoadBalancer(AwsResourceType[LoadBalancerInputs]):
    token = "aws:lb/loadBalancer:LoadBalancer"
    replaces = frozenset({"name", "internal", "loadBalancerType"})
    computed = frozenset({"arn", "arnSuffix", "dnsName", "vpcId", "zoneId"})
    auto_name = "name"

    def new_id(self, inputs: LoadBalancerInputs) -> str:
        if len(inputs.name) > 32:
            raise Refused(f"ValidationError: the load balancer name {inputs.name} is longer than 32 characters")
        return self.arn("elasticloadbalancing", f"loadbalancer/app/{inputs.name}/{secrets.token_hex(8)}")

    def on_create(self, resource_id: str, inputs: LoadBalancerInputs) -> Properties:
        zones = {self.inputs_of(Subnet, subnet).availability_zone for subnet in inputs.subnets}
        if len(zones) < 2:
            raise Refused("InvalidSubnet: at least two subnets in two zones are needed")
        name = f"{inputs.name}-{resource_id[-10:]}.{self.region.name}.elb.amazonaws.com"
        subnet = self.inputs_of(Subnet, inputs.subnets[0]).cidr_block
        port = self.region.network.new_port("ens5", subnet, tuple(inputs.security_groups), public=not inputs.internal)
        self.region.new_balancer(resource_id, name, Endpoint(f"lb-{resource_id[-8:]}", (port,)))
        suffix = resource_id.split(":loadbalancer/")[1]
        return {"arn": resource_id, "arnSuffix": suffix, "dnsName": name, "vpcId": "", "zoneId": HOSTED_ZONE}

    def on_delete(self, resource_id: str, inputs: LoadBalancerInputs) -> None:
        if inputs.enable_deletion_protection:
            raise Refused(f"OperationNotPermitted: {resource_id} has deletion protection")
        self.region.balancers.pop(resource_id).destroy()


class Check(InputModel):
    enabled: bool = True
    path: str = "/"
    port: str = "traffic-port"
    protocol: Literal["HTTP"] = "HTTP"
    interval: int = 30
    timeout: int = 5
    healthy_threshold: int = 5
    unhealthy_threshold: int = 2
    matcher: str = "200"


class TargetGroupInputs(InputModel):
    name: str
    port: int
    protocol: Literal["HTTP"] = "HTTP"
    vpc_id: str
    target_type: Literal["instance"] = "instance"
    deregistration_delay: int = 300
    health_check: Check = Check()
    tags: Tags = {}


class TargetGroupType(AwsResourceType[TargetGroupInputs]):
    token = "aws:lb/targetGroup:TargetGroup"
    replaces = frozenset({"name", "port", "protocol", "vpcId", "targetType"})
    in_place = frozenset({"health_check", "deregistration_delay", "tags"})
    computed = frozenset({"arn", "arnSuffix", "loadBalancerArns"})
    auto_name = "name"

    def new_id(self, inputs: TargetGroupInputs) -> str:
        if len(inputs.name) > 32:
            raise Refused(f"ValidationError: the target group name {inputs.name} is longer than 32 characters")
        return self.arn("elasticloadbalancing", f"targetgroup/{inputs.name}/{secrets.token_hex(8)}")

    def on_create(self, resource_id: str, inputs: TargetGroupInputs) -> Properties:
        self.region.target_groups[resource_id] = TargetGroup(inputs.port, health_check(inputs.health_check))
        return {"arn": resource_id, "arnSuffix": resource_id.rsplit(":", maxsplit=1)[-1], "loadBalancerArns": []}

    def on_update(self, resource_id: str, old: TargetGroupInputs, new: TargetGroupInputs) -> Properties:
        self.region.target_groups[resource_id].check = health_check(new.health_check)
        self.region.apply_balancers()
        return {}

    def on_delete(self, resource_id: str, inputs: TargetGroupInputs) -> None:
        del self.region.target_groups[resource_id]


def health_check(check: Check) -> HealthCheck:
    if check.timeout >= check.interval:
        raise Refused(
            f"ValidationError: health check timeout {check.timeout} must be smaller than the interval {check.interval}"
        )
    if not (
        5 <= check.interval <= 300
        and 2 <= check.timeout <= 120
        and 2 <= check.unhealthy_threshold <= 10
        and 2 <= check.healthy_threshold <= 10
    ):
        raise Refused("ValidationError: health check interval is 5 to 300 s, timeout 2 to 120 s, thresholds 2 to 10")
    port = None if check.port == "traffic-port" else int(check.port)
    return HealthCheck(
        check.path,
        port,
        check.interval,
        check.timeout,
        check.healthy_threshold,
        check.unhealthy_threshold,
        check.matcher,
    )


class TargetGroupAttachmentInputs(InputModel):
    target_group_arn: str
    target_id: str
    port: int | None = None


class TargetGroupAttachment(AwsResourceType[TargetGroupAttachmentInputs]):
    token = "aws:lb/targetGroupAttachment:TargetGroupAttachment"
    prefix = "target"
    replaces = frozenset({"targetGroupArn", "targetId", "port", "availabilityZone"})

    def on_create(self, resource_id: str, inputs: TargetGroupAttachmentInputs) -> Properties:
        group = self.region.target_groups[inputs.target_group_arn]
        if inputs.port not in (None, group.port):
            raise Refused(f"{self.token}: another port than the group's is not supported by the rehearsal")
        group.targets[inputs.target_id] = self.region.machines[inputs.target_id].endpoint.address
        self.region.apply_balancers()
        return {}

    def on_delete(self, resource_id: str, inputs: TargetGroupAttachmentInputs) -> None:
        self.region.target_groups[inputs.target_group_arn].targets.pop(inputs.target_id)
        self.region.apply_balancers()


class Redirect(InputModel):
    port: str = "443"
    protocol: Literal["HTTPS"] = "HTTPS"
    status_code: Literal["HTTP_301", "HTTP_302"]


class Action(InputModel):
    type: Literal["forward", "redirect"]
    target_group_arn: str | None = None
    redirect: Redirect | None = None


class ListenerInputs(InputModel):
    load_balancer_arn: str
    port: int
    protocol: Literal["HTTP", "HTTPS"] = "HTTP"
    ssl_policy: str | None = None
    certificate_arn: str | None = None
    default_actions: list[Action]
    tags: Tags = {}


class ListenerType(AwsResourceType[ListenerInputs]):
    """A listener; for HTTPS, the rehearsal's own authority signs the domains of its certificate."""

    token = "aws:lb/listener:Listener"
    replaces = frozenset({"loadBalancerArn"})
    in_place = frozenset({"port", "protocol", "ssl_policy", "certificate_arn", "default_actions", "tags"})
    computed = frozenset({"arn"})

    def new_id(self, inputs: ListenerInputs) -> str:
        return f"{inputs.load_balancer_arn.replace(':loadbalancer/', ':listener/')}/{secrets.token_hex(8)}"

    def on_create(self, resource_id: str, inputs: ListenerInputs) -> Properties:
        balancer = self.region.balancers[inputs.load_balancer_arn]
        action = inputs.default_actions[0]
        redirect = action.redirect
        listener = Listener(inputs.port, self._certificate(inputs))
        if redirect:
            listener.redirect_port, listener.redirect_code = (int(redirect.port), int(redirect.status_code[-3:]))
        elif action.target_group_arn:
            listener.group = short(action.target_group_arn)
            balancer.groups[listener.group] = self.region.target_groups[action.target_group_arn]
        else:
            raise Refused("ValidationError: an action needs a targetGroupArn or a redirect")
        balancer.listeners[resource_id] = listener
        balancer.apply()
        return {"arn": resource_id}

    def _certificate(self, inputs: ListenerInputs) -> Certificate | None:
        """The certificate for HTTPS. Raises `Refused` for one that does not exist or is not issued yet."""
        if inputs.protocol == "HTTP":
            return None
        if not inputs.certificate_arn:
            raise Refused("ValidationError: A certificate must be specified for HTTPS listeners")
        certificate = self.region.certificate(inputs.certificate_arn)
        if not certificate:
            raise Refused(f"CertificateNotFound: Certificate '{inputs.certificate_arn}' not found")
        if not certificate.issued:
            raise Refused(
                f"UnsupportedCertificate: The certificate '{inputs.certificate_arn}' must have a fully-qualified "
                "domain name, a supported signature, and a supported key size."
            )
        return certificate

    def on_update(self, resource_id: str, old: ListenerInputs, new: ListenerInputs) -> Properties:
        return self.on_create(resource_id, new)

    def on_delete(self, resource_id: str, inputs: ListenerInputs) -> None:
        balancer = self.region.balancers[inputs.load_balancer_arn]
        del balancer.listeners[resource_id]
        balancer.apply()


def short(arn: str) -> str:
    return arn.split("/")[-2]


RESOURCE_TYPES = [LoadBalancer, TargetGroupType, TargetGroupAttachment, ListenerType]
