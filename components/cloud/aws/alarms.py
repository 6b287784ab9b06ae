"""Alarms of CloudWatch, which see what the nodes cannot: the way from the load balancer, and the database."""

from __future__ import annotations

from dataclasses import dataclass

import pulumi
from pulumi_aws import cloudwatch, rds, sns

from components.cloud.aws.balancer import Balancer

LASTS = 5
"""Minutes that a trouble lasts before it is mailed."""

FREE_STORAGE = 0.1
"""Share of the database's storage that should be free. RDS enlarges it below this share, up to `max_storage_gb`."""

CPU = 90
"""Percent of the database's processors."""


@dataclass(frozen=True)
class AlarmsArgs:
    """`mail`: address that gets the mail. `balancer`, `database`: what is watched, where the site has it.
    `storage_gb`: the database's storage.
    """

    mail: str
    balancer: Balancer | None
    database: rds.Instance | None
    storage_gb: int


class Alarms(pulumi.ComponentResource):
    """Mail when an alarm begins and when it ends (topic, subscription, alarms).

    The address gets one mail with a link to confirm the subscription. The topic is not encrypted, because CloudWatch
    cannot use Amazon's own key for topics (Amazon CloudWatch user guide, "Notifying users on alarm changes").
    """

    def __init__(self, name: str, args: AlarmsArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("ha-wordpress:aws:Alarms", name, None, opts)
        self._child = pulumi.ResourceOptions(parent=self)
        topic = sns.Topic(name, tags={"Stack": pulumi.get_stack()}, opts=self._child)
        sns.TopicSubscription(name, topic=topic.arn, protocol="email", endpoint=args.mail, opts=self._child)
        self._topic = topic.arn
        if args.balancer:
            self._alarm(
                "nodes-unhealthy",
                "The load balancer finds a node unhealthy.",
                namespace="AWS/ApplicationELB",
                metric_name="UnHealthyHostCount",
                dimensions={
                    "LoadBalancer": args.balancer.load_balancer.arn_suffix,
                    "TargetGroup": args.balancer.targets.arn_suffix,
                },
                statistic="Maximum",
                comparison_operator="GreaterThanThreshold",
                threshold=0,
            )
        if args.database:
            database = {"DBInstanceIdentifier": args.database.identifier}
            self._alarm(
                "database-storage",
                "The database has little storage left: raise database.max_storage_gb, or delete data.",
                namespace="AWS/RDS",
                metric_name="FreeStorageSpace",
                dimensions=database,
                statistic="Minimum",
                comparison_operator="LessThanThreshold",
                threshold=args.storage_gb * 1024**3 * FREE_STORAGE,
            )
            self._alarm(
                "database-cpu",
                "The database's processors are busy: choose a larger database.instance_class.",
                namespace="AWS/RDS",
                metric_name="CPUUtilization",
                dimensions=database,
                statistic="Average",
                comparison_operator="GreaterThanThreshold",
                threshold=CPU,
            )
        self.register_outputs({"topic": topic.arn})

    def _alarm(
        self,
        name: str,
        description: str,
        *,
        namespace: str,
        metric_name: str,
        dimensions: dict[str, pulumi.Output[str]],
        statistic: str,
        comparison_operator: str,
        threshold: float,
    ) -> None:
        """Watch a metric, minute by minute."""
        cloudwatch.MetricAlarm(
            name,
            alarm_description=description,
            namespace=namespace,
            metric_name=metric_name,
            dimensions=dimensions,
            statistic=statistic,
            comparison_operator=comparison_operator,
            threshold=threshold,
            period=60,
            evaluation_periods=LASTS,
            alarm_actions=[self._topic],
            ok_actions=[self._topic],
            tags={"Stack": pulumi.get_stack()},
            opts=self._child,
        )
