"""Alarms of DigitalOcean, which see what the nodes cannot: the site from outside, and the database."""

from __future__ import annotations

from dataclasses import dataclass

import pulumi
import pulumi_digitalocean as digitalocean

from components.cloud import interface

LASTS = "5m"
"""Time that a trouble lasts before it is mailed."""

BUSY = 90
"""Percent of the database's processors or storage in use."""


@dataclass(frozen=True)
class AlarmsArgs:
    """`mail`: address that gets the mail; DigitalOcean sends to the verified addresses of the team only. `balancer`,
    `cluster`: what is watched, where the site has it. `domain`: the site's, if it has one.
    """

    mail: str
    balancer: interface.Balancer | None
    domain: str | None
    cluster: digitalocean.DatabaseCluster | None


class Alarms(pulumi.ComponentResource):
    """Mail when an alarm begins and when it ends (uptime check and its alert, monitor alerts)."""

    def __init__(self, name: str, args: AlarmsArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("ha-wordpress:digitalocean:Alarms", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        if args.balancer:
            scheme = "https" if args.balancer.https else "http"
            check = digitalocean.UptimeCheck(
                name,
                name=pulumi.get_stack(),
                type=scheme,
                target=pulumi.Output.format("{0}://{1}/", scheme, args.domain or args.balancer.address),
                opts=child,
            )
            digitalocean.UptimeAlert(
                name,
                name=f"{pulumi.get_stack()} is down",
                check_id=check.id,
                # what one region alone does not reach is a fault on the way to it
                type="down_global",
                period=LASTS,
                notifications=[digitalocean.UptimeAlertNotificationArgs(emails=[args.mail])],
                opts=child,
            )
        if args.cluster:
            for what, kind in (("cpu", "cpu_alerts"), ("storage", "disk_utilization_alerts")):
                digitalocean.MonitorAlert(
                    f"database-{what}",
                    description=f"{pulumi.get_stack()}: over {BUSY} % of the database's {what} are in use",
                    type=f"v1/dbaas/alerts/{kind}",
                    entities=[args.cluster.id],
                    compare="GreaterThan",
                    value=BUSY,
                    window=LASTS,
                    alerts=digitalocean.MonitorAlertAlertsArgs(emails=[args.mail]),
                    opts=child,
                )
        self.register_outputs({})
