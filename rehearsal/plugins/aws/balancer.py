"""Application load balancer: HAProxy with the target group's settings."""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal

from pydantic import Field

from rehearsal.plugins.aws.network import Subnet
from rehearsal.plugins.aws.resource_type import (
    NEW,
    AwsResourceType,
    Call,
    InputModel,
    Properties,
    Refused,
    SecurityGroups,
    Tags,
    matching,
    tag_list,
)
from rehearsal.region.ca import Certificate
from rehearsal.region.endpoint import Endpoint
from rehearsal.region.load_balancer import HealthCheck, Listener, TargetGroup

HOSTED_ZONE = "Z35SXDOTRQ7X7K"
"""Hosted zone of the load balancers' names in us-east-1 (AWS General Reference, "Elastic Load Balancing endpoints")."""

NAME = r"[a-zA-Z0-9]([a-zA-Z0-9-]{0,30}[a-zA-Z0-9])?"
"""Names of load balancers and target groups (API reference of CreateLoadBalancer and CreateTargetGroup)."""
RULES = "1 to 32 letters, digits and hyphens, no hyphen at either end"

Name = Annotated[
    str,
    matching(rf"(?!internal-){NAME}", "ValidationError", f"a load balancer's name: {RULES}, no internal- in front"),
]
GroupName = Annotated[str, matching(NAME, "ValidationError", f"a target group's name: {RULES}")]
IdleTimeout = Annotated[int, Field(ge=1, le=4000)]
"""Seconds (API reference of LoadBalancerAttribute)."""
Delay = Annotated[int, Field(ge=0, le=3600)]
"""Seconds (API reference of TargetGroupAttribute)."""


class LoadBalancerInputs(InputModel):
    name: Name
    internal: bool = False
    load_balancer_type: Literal["application"] = "application"
    security_groups: SecurityGroups
    subnets: list[str]
    idle_timeout: IdleTimeout = 60
    drop_invalid_header_fields: bool = False
    enable_deletion_protection: bool = False
    tags: Tags = {}


class LoadBalancer(AwsResourceType[LoadBalancerInputs]):
    token = "aws:lb/loadBalancer:LoadBalancer"
    replaces = frozenset({"name", "internal", "loadBalancerType"})
    computed = frozenset({"arn", "arnSuffix", "dnsName", "vpcId", "zoneId"})
    auto_name = "name"

    def calls(self, inputs: LoadBalancerInputs) -> Iterator[Call]:
        yield Call(
            "elbv2",
            "CreateLoadBalancer",
            Name=inputs.name,
            Type=inputs.load_balancer_type,
            Scheme="internal" if inputs.internal else "internet-facing",
            SecurityGroups=inputs.security_groups,
            Subnets=inputs.subnets,
            Tags=tag_list(inputs.tags),
        )
        settings = {
            "idle_timeout.timeout_seconds": inputs.idle_timeout,
            "routing.http.drop_invalid_header_fields.enabled": inputs.drop_invalid_header_fields,
            "deletion_protection.enabled": inputs.enable_deletion_protection,
        }
        yield Call("elbv2", "ModifyLoadBalancerAttributes", LoadBalancerArn=NEW, Attributes=attributes(settings))

    def new_id(self, inputs: LoadBalancerInputs) -> str:
        if any(other.name == inputs.name for other in self.existing(LoadBalancer).values()):
            raise Refused(f"DuplicateLoadBalancerName: the load balancer {inputs.name} exists already")
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


def attributes(settings: Mapping[str, object]) -> list[dict[str, str]]:
    """Attributes as the API takes them: as texts, a truth value in lower case."""
    return [{"Key": key, "Value": str(value).lower()} for key, value in settings.items()]


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
    name: GroupName
    port: int
    protocol: Literal["HTTP"] = "HTTP"
    vpc_id: str
    target_type: Literal["instance"] = "instance"
    deregistration_delay: Delay = 300
    health_check: Check = Check()
    tags: Tags = {}


class TargetGroupType(AwsResourceType[TargetGroupInputs]):
    token = "aws:lb/targetGroup:TargetGroup"
    replaces = frozenset({"name", "port", "protocol", "vpcId", "targetType"})
    in_place = frozenset({"health_check", "deregistration_delay", "tags"})
    computed = frozenset({"arn", "arnSuffix", "loadBalancerArns"})
    auto_name = "name"

    def calls(self, inputs: TargetGroupInputs) -> Iterator[Call]:
        check = inputs.health_check
        yield Call(
            "elbv2",
            "CreateTargetGroup",
            Name=inputs.name,
            Protocol=inputs.protocol,
            Port=inputs.port,
            VpcId=inputs.vpc_id,
            TargetType=inputs.target_type,
            HealthCheckEnabled=check.enabled,
            HealthCheckProtocol=check.protocol,
            HealthCheckPath=check.path,
            HealthCheckPort=check.port,
            HealthCheckIntervalSeconds=check.interval,
            HealthCheckTimeoutSeconds=check.timeout,
            HealthyThresholdCount=check.healthy_threshold,
            UnhealthyThresholdCount=check.unhealthy_threshold,
            Matcher={"HttpCode": check.matcher},
            Tags=tag_list(inputs.tags),
        )
        settings = {"deregistration_delay.timeout_seconds": inputs.deregistration_delay}
        yield Call("elbv2", "ModifyTargetGroupAttributes", TargetGroupArn=NEW, Attributes=attributes(settings))

    def new_id(self, inputs: TargetGroupInputs) -> str:
        if any(other.name == inputs.name for other in self.existing(TargetGroupType).values()):
            raise Refused(f"DuplicateTargetGroupName: the target group {inputs.name} exists already")
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

    def calls(self, inputs: TargetGroupAttachmentInputs) -> Iterator[Call]:
        target = {"Id": inputs.target_id, "Port": inputs.port}
        yield Call("elbv2", "RegisterTargets", TargetGroupArn=inputs.target_group_arn, Targets=[target])

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


def action_members(action: Action) -> dict[str, Any]:
    """An action as the API takes it."""
    redirect = action.redirect
    return {
        "Type": action.type,
        "TargetGroupArn": action.target_group_arn,
        "RedirectConfig": redirect
        and {"Port": redirect.port, "Protocol": redirect.protocol, "StatusCode": redirect.status_code},
    }


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

    def calls(self, inputs: ListenerInputs) -> Iterator[Call]:
        yield Call(
            "elbv2",
            "CreateListener",
            LoadBalancerArn=inputs.load_balancer_arn,
            Port=inputs.port,
            Protocol=inputs.protocol,
            SslPolicy=inputs.ssl_policy,
            Certificates=[{"CertificateArn": inputs.certificate_arn}] if inputs.certificate_arn else [],
            DefaultActions=[action_members(action) for action in inputs.default_actions],
            Tags=tag_list(inputs.tags),
        )

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
