"""SNS and CloudWatch: topics and alarms, which exist but tell nobody."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import Literal

from rehearsal.plugins.aws.resource_type import ACCOUNT, AwsResourceType, Call, InputModel, Properties, Tags, tag_list


class TopicInputs(InputModel):
    name: str
    tags: Tags = {}


class Topic(AwsResourceType[TopicInputs]):
    token = "aws:sns/topic:Topic"
    replaces = frozenset({"name"})
    computed = frozenset({"arn", "owner", "beginningArchiveTime"})
    auto_name = "name"

    def calls(self, inputs: TopicInputs) -> Iterator[Call]:
        yield Call("sns", "CreateTopic", Name=inputs.name, Tags=tag_list(inputs.tags))

    def new_id(self, inputs: TopicInputs) -> str:
        return self.arn("sns", inputs.name)

    def on_create(self, resource_id: str, inputs: TopicInputs) -> Properties:
        return {"arn": resource_id, "owner": ACCOUNT, "beginningArchiveTime": ""}


class TopicSubscriptionInputs(InputModel):
    topic: str
    protocol: Literal["email"]
    endpoint: str


class TopicSubscription(AwsResourceType[TopicSubscriptionInputs]):
    """A subscription that the address has not confirmed; nobody is asked to."""

    token = "aws:sns/topicSubscription:TopicSubscription"
    replaces = frozenset({"topic", "protocol", "endpoint"})
    computed = frozenset({"arn", "confirmationWasAuthenticated", "ownerId", "pendingConfirmation"})

    def calls(self, inputs: TopicSubscriptionInputs) -> Iterator[Call]:
        yield Call("sns", "Subscribe", TopicArn=inputs.topic, Protocol=inputs.protocol, Endpoint=inputs.endpoint)

    def new_id(self, inputs: TopicSubscriptionInputs) -> str:
        return f"{inputs.topic}:{uuid.uuid4()}"

    def on_create(self, resource_id: str, inputs: TopicSubscriptionInputs) -> Properties:
        return {
            "arn": resource_id, "confirmationWasAuthenticated": False, "ownerId": ACCOUNT, "pendingConfirmation": True
        }  # fmt: skip


class MetricAlarmInputs(InputModel):
    name: str
    alarm_description: str = ""
    namespace: str
    metric_name: str
    dimensions: dict[str, str] = {}
    statistic: Literal["Average", "Maximum", "Minimum", "SampleCount", "Sum"]
    comparison_operator: Literal[
        "GreaterThanOrEqualToThreshold", "GreaterThanThreshold", "LessThanThreshold", "LessThanOrEqualToThreshold"
    ]
    threshold: float
    period: int
    evaluation_periods: int
    alarm_actions: list[str] = []
    ok_actions: list[str] = []
    tags: Tags = {}


class MetricAlarm(AwsResourceType[MetricAlarmInputs]):
    """An alarm without data; the rehearsal has no metrics of the cloud's."""

    token = "aws:cloudwatch/metricAlarm:MetricAlarm"
    replaces = frozenset({"name"})
    in_place = frozenset(MetricAlarmInputs.model_fields) - {"name"}
    computed = frozenset({"arn"})
    auto_name = "name"

    def calls(self, inputs: MetricAlarmInputs) -> Iterator[Call]:
        yield Call(
            "cloudwatch",
            "PutMetricAlarm",
            AlarmName=inputs.name,
            AlarmDescription=inputs.alarm_description,
            Namespace=inputs.namespace,
            MetricName=inputs.metric_name,
            Dimensions=[{"Name": name, "Value": value} for name, value in inputs.dimensions.items()],
            Statistic=inputs.statistic,
            ComparisonOperator=inputs.comparison_operator,
            Threshold=inputs.threshold,
            Period=inputs.period,
            EvaluationPeriods=inputs.evaluation_periods,
            AlarmActions=inputs.alarm_actions,
            OKActions=inputs.ok_actions,
            Tags=tag_list(inputs.tags),
        )

    def new_id(self, inputs: MetricAlarmInputs) -> str:
        return inputs.name

    def on_create(self, resource_id: str, inputs: MetricAlarmInputs) -> Properties:
        return {"arn": self.arn("cloudwatch", f"alarm:{resource_id}")}


RESOURCE_TYPES = [Topic, TopicSubscription, MetricAlarm]
