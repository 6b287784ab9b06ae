"""The clouds' own alarms: what they watch, and whom they mail."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.graph import Graph, build, committed

MAIL = "you@rehearsal.test"
SMTP = {"host": "smtp.rehearsal.test", "user": "site"}


def alarmed(stack: str, **changes: Any) -> Graph:
    """The graph of a stack with alarms; `changes` as for `build`."""
    site = committed(stack)["ha-wordpress:site"] | {"smtp": SMTP}
    return build(stack, site=site, smtp_password="SECRET-smtp", alarms={"mail": MAIL}, **changes)


@pytest.fixture(scope="module")
def aws() -> Graph:
    return alarmed("aws-wordpress")


@pytest.fixture(scope="module")
def digitalocean() -> Graph:
    return alarmed("digitalocean-wordpress")


@pytest.mark.parametrize("kind", ["sns.Topic", "cloudwatch.MetricAlarm"])
def test_a_stack_without_alarms_has_none_of_the_clouds(aws_wordpress: Graph, kind: str) -> None:
    assert [*aws_wordpress.of_type(kind)] == []


def test_every_alarm_on_amazon_mails_when_it_begins_and_ends(aws: Graph) -> None:
    [topic] = aws.of_type("sns.Topic")
    [subscription] = aws.of_type("sns.TopicSubscription")
    assert (subscription.inputs["protocol"], subscription.inputs["endpoint"]) == ("email", MAIL)
    assert topic.key in subscription.waits_for
    alarms = [*aws.of_type("cloudwatch.MetricAlarm")]
    assert {alarm.name for alarm in alarms} == {"nodes-unhealthy", "database-storage", "database-cpu"}
    for alarm in alarms:
        assert alarm.inputs["alarmActions"] == alarm.inputs["okActions"] == [subscription.inputs["topic"]]
        assert alarm.inputs["period"] * alarm.inputs["evaluationPeriods"] == 5 * 60


@pytest.mark.parametrize(
    ("name", "watched"),
    [
        (
            "nodes-unhealthy",
            {
                "metricName": "UnHealthyHostCount", "comparisonOperator": "GreaterThanThreshold", "threshold": 0,
                "statistic": "Maximum",
            },
        ),
        (
            "database-storage",
            {
                "metricName": "FreeStorageSpace", "comparisonOperator": "LessThanThreshold", "threshold": 2 * 1024**3,
                "statistic": "Minimum",
            },
        ),
        (
            "database-cpu",
            {
                "metricName": "CPUUtilization", "comparisonOperator": "GreaterThanThreshold", "threshold": 90,
                "statistic": "Average",
            },
        ),
    ],
)  # fmt: skip
def test_amazons_alarms_watch_the_balancer_and_the_database(aws: Graph, name: str, watched: dict[str, Any]) -> None:
    alarm = aws[f"cloudwatch.MetricAlarm {name}"].inputs
    assert {key: alarm[key] for key in watched} == watched
    assert all(alarm["dimensions"].values())


def test_digitaloceans_alarms_watch_the_site_and_the_database(digitalocean: Graph) -> None:
    [check], [down] = digitalocean.of_type("digitalocean.UptimeCheck"), digitalocean.of_type("digitalocean.UptimeAlert")
    assert check.inputs["target"] == "https://www.rehearsal.test/"
    assert check.key in digitalocean.after(down.key)
    assert down.inputs["notifications"] == [{"emails": [MAIL]}]
    [cluster] = digitalocean.of_type("digitalocean.DatabaseCluster")
    alerts = [*digitalocean.of_type("digitalocean.MonitorAlert")]
    assert {alert.inputs["type"].rsplit("/")[-1] for alert in alerts} == {"cpu_alerts", "disk_utilization_alerts"}
    for alert in alerts:
        assert cluster.key in digitalocean.after(alert.key)
        assert alert.inputs["alerts"] == {"emails": [MAIL]}
        assert (alert.inputs["compare"], alert.inputs["value"]) == ("GreaterThan", 90)
