"""The load balancer, and the firewall of the droplets behind it."""

from __future__ import annotations

from dataclasses import dataclass

import pulumi
import pulumi_digitalocean as digitalocean

from components.cloud import interface
from components.cloud.digitalocean.dns import site_record
from components.cloud.digitalocean.network import Network, inbound_rule, port_range
from components.cloud.digitalocean.settings import DigitalOceanSettings


@dataclass(frozen=True)
class BalancerArgs:
    """`site`: domain, the droplets' port, health check, and ports between them."""

    settings: DigitalOceanSettings
    network: Network
    site: interface.SiteSpec


class Balancer(pulumi.ComponentResource):
    """A load balancer that sends visitors to healthy droplets (load balancer, firewall, certificate, DNS record).

    It selects the droplets by tag, not by id, so that adding or removing a droplet changes nothing here.
    """

    def __init__(self, name: str, args: BalancerArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("ha-wordpress:digitalocean:Balancer", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        settings, network, site = args.settings, args.network, args.site
        domain, zone = site.domain, settings.balancer.dns_zone
        certificate: pulumi.Input[str] | None = settings.balancer.certificate_name
        if domain and zone and not certificate:
            certificate = digitalocean.Certificate(name, type="lets_encrypt", domains=[domain], opts=child).name
        https = certificate is not None
        visitors_from = settings.network.visitors_from

        entries = [("http", 80, None), *([("https", 443, certificate)] if https else [])]
        balancer = digitalocean.LoadBalancer(
            name,
            name=pulumi.get_stack(),
            region=settings.region,
            vpc_uuid=network.vpc,
            # two load balancer nodes, so that one may fail
            size_unit=2,
            droplet_tag=network.tags["web"],
            forwarding_rules=[
                digitalocean.LoadBalancerForwardingRuleArgs(
                    entry_protocol=protocol,
                    entry_port=port,
                    target_protocol="http",
                    target_port=site.web_port,
                    certificate_name=entry_certificate,
                )
                for protocol, port, entry_certificate in entries
            ],
            redirect_http_to_https=https,
            firewall=digitalocean.LoadBalancerFirewallArgs(allows=[f"cidr:{each}" for each in visitors_from])
            if visitors_from
            else None,
            # the shortest check that DigitalOcean allows (terraform-provider-digitalocean, loadbalancer): two failures
            # take a lost droplet out
            healthcheck=digitalocean.LoadBalancerHealthcheckArgs(
                protocol="http",
                port=site.web_port,
                path=site.health_path,
                check_interval_seconds=3,
                response_timeout_seconds=3,
                healthy_threshold=2,
                unhealthy_threshold=2,
            ),
            opts=child,
        )
        digitalocean.Firewall(
            "web",
            name=network.tags["web"],
            tags=[network.tags["web"]],
            inbound_rules=[
                inbound_rule(str(site.web_port), source_load_balancer_uids=[balancer.id]),
                *(
                    inbound_rule(port_range(ports.range), source_tags=[network.tags["web"]])
                    for ports in site.balanced_peers
                ),
            ],
            opts=child,
        )
        if domain and zone:
            site_record(name, domain, zone, balancer.ip, child)
        self.balancer = interface.Balancer(address=balancer.ip, https=https, record=None if zone else "A")
        self.register_outputs({"address": balancer.ip})
