"""The load balancer, and the doors in the droplets behind it: its own, and theirs to each other."""

from __future__ import annotations

from dataclasses import dataclass

import pulumi
import pulumi_digitalocean as digitalocean

from components.cloud import interface
from components.cloud.digitalocean.network import Network, let_in, port_range
from components.cloud.digitalocean.settings import DigitalOceanSettings


@dataclass(frozen=True)
class BalancerArgs:
    """`site`: the port it sends visitors to, and the path that it asks for health."""

    settings: DigitalOceanSettings
    network: Network
    site: interface.SiteSpec


class Balancer(pulumi.ComponentResource):
    """Sends visitors to the droplets that answer (load balancer, firewall).

    It finds them by their tag and not by their ids, so that a droplet that comes or goes changes nothing here.
    """

    def __init__(self, name: str, args: BalancerArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("ha-wordpress:digitalocean:Balancer", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        settings, network, site, stack = args.settings, args.network, args.site, pulumi.get_stack()
        certificate = settings.balancer.certificate_name

        entries = [("http", 80, None)] + ([("https", 443, certificate)] if certificate else [])
        balancer = digitalocean.LoadBalancer(
            name,
            name=stack,
            region=settings.region,
            vpc_uuid=network.vpc,
            # one of them may be lost
            size_unit=2,
            droplet_tag=network.tags["web"],
            forwarding_rules=[
                digitalocean.LoadBalancerForwardingRuleArgs(
                    entry_protocol=protocol,
                    entry_port=port,
                    target_protocol="http",
                    target_port=site.web_port,
                    certificate_name=shown,
                )
                for protocol, port, shown in entries
            ],
            redirect_http_to_https=bool(certificate),
            # as short as DigitalOcean lets a check be (terraform-provider-digitalocean, loadbalancer): a lost droplet
            # is left after two misses
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
            name=f"{stack}-web",
            tags=[network.tags["web"]],
            inbound_rules=[
                let_in(str(site.web_port), source_load_balancer_uids=[balancer.id]),
                *(let_in(port_range(ports.range), source_tags=[network.tags["web"]]) for ports in site.neighbours),
            ],
            opts=child,
        )
        self.balancer = interface.Balancer(address=balancer.ip, https=bool(certificate))
        self.register_outputs({"address": balancer.ip})
