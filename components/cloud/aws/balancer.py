"""The application load balancer, in all zones of the site."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pulumi
from pulumi_aws import lb, route53

from components.cloud import interface
from components.cloud.aws import settings
from components.cloud.aws.network import Network
from components.cloud.aws.node import Node
from components.cloud.aws.site_certificate import SiteCertificate, SiteCertificateArgs


@dataclass(frozen=True)
class BalancerArgs:
    """`balancer`: the settings. `site`: domain, the nodes' port and health check. `nodes`: all nodes of the site."""

    balancer: settings.Balancer
    network: Network
    site: interface.SiteSpec
    nodes: Mapping[str, Node]


class Balancer(pulumi.ComponentResource):
    """A load balancer that sends visitors to healthy nodes (load balancer, target group, attachments, listeners).

    With a hosted zone also the site's certificate and DNS record. Only the HTTPS listener waits for the certificate.
    """

    def __init__(self, name: str, args: BalancerArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("ha-wordpress:aws:Balancer", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        network = args.network

        balancer = lb.LoadBalancer(
            name,
            load_balancer_type="application",
            security_groups=[network.balancer_group.id],
            subnets=list(network.subnets.values()),
            drop_invalid_header_fields=True,
            tags={"Name": f"{pulumi.get_stack()}-{name}", "Stack": pulumi.get_stack()},
            # Amazon refuses an internet-facing load balancer in subnets without a route to the internet
            opts=pulumi.ResourceOptions(
                parent=self, depends_on=[route for routes in network.egress.values() for route in routes]
            ),
        )
        targets = lb.TargetGroup(
            "nodes",
            vpc_id=network.vpc,
            port=args.site.web_port,
            protocol="HTTP",
            target_type="instance",
            # the shortest check that Amazon allows: two failures take a lost node out
            health_check=lb.TargetGroupHealthCheckArgs(
                path=args.site.health_path,
                matcher="200",
                interval=5,
                timeout=4,
                healthy_threshold=2,
                unhealthy_threshold=2,
            ),
            deregistration_delay=15,
            opts=child,
        )
        for node in args.site.balanced:
            lb.TargetGroupAttachment(
                node, target_group_arn=targets.arn, target_id=args.nodes[node].instance.id, opts=child
            )

        forward = lb.ListenerDefaultActionArgs(type="forward", target_group_arn=targets.arn)
        redirect = lb.ListenerDefaultActionArgs(
            type="redirect",
            redirect=lb.ListenerDefaultActionRedirectArgs(port="443", protocol="HTTPS", status_code="HTTP_301"),
        )
        domain, zone_id = args.site.domain, args.balancer.zone_id
        certificate: pulumi.Input[str] | None = args.balancer.certificate_arn
        if domain and zone_id:
            if not certificate:
                certificate = SiteCertificate("site", SiteCertificateArgs(domain, zone_id), opts=child).arn
            # an alias, because a zone's apex may have no CNAME
            alias = route53.RecordAliasArgs(
                name=balancer.dns_name, zone_id=balancer.zone_id, evaluate_target_health=False
            )
            route53.Record("site", zone_id=zone_id, name=domain, type="A", aliases=[alias], opts=child)
        https = certificate is not None
        lb.Listener(
            "http",
            load_balancer_arn=balancer.arn,
            port=80,
            protocol="HTTP",
            default_actions=[redirect if https else forward],
            opts=child,
        )
        if https:
            lb.Listener(
                "https",
                load_balancer_arn=balancer.arn,
                port=443,
                protocol="HTTPS",
                certificate_arn=certificate,
                ssl_policy="ELBSecurityPolicy-TLS13-1-2-2021-06",
                default_actions=[forward],
                opts=child,
            )
        self.load_balancer, self.targets = balancer, targets
        self.balancer = interface.Balancer(
            address=balancer.dns_name, https=https, record=None if zone_id else "CNAME, or ALIAS at a zone's apex"
        )
        self.register_outputs({"address": balancer.dns_name})
