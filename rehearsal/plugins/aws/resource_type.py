"""The base of every AWS resource type: ids, ARNs, zones and tags."""

from __future__ import annotations

import re
import secrets
from typing import Annotated, ClassVar

from pydantic import AfterValidator

from rehearsal.plugins.aws import offerings
from rehearsal.plugins.cloud import CloudResourceType
from rehearsal.plugins.protocol import InputModel, InputsT, Properties, Refused

REFERENCE = re.compile(r"(vpc|subnet|sg|sgr|igw|rtb|i|vol|eipalloc)-[0-9a-f]{17}|arn:aws:elasticloadbalancing:\S+")
ACCOUNT = "123456789012"


def _zone(zone: str) -> str:
    if not re.fullmatch(r"[a-z]{2}(-[a-z]+)+-\d[a-z]", zone) or zone not in offerings.zones(zone[:-1]):
        raise ValueError(f"InvalidParameterValue: availability zone {zone} does not exist")
    return zone


Zone = Annotated[str, AfterValidator(_zone)]
Tags = dict[str, str]


class AwsResourceType(CloudResourceType[InputsT]):
    """An AWS resource type."""

    reference = REFERENCE
    in_place = frozenset({"tags"})
    prefix: ClassVar[str]
    """The prefix of the ids: `vpc` for vpc-0123456789abcdef0."""

    def new_id(self, inputs: InputsT) -> str:
        return f"{self.prefix}-0{secrets.token_hex(8)}"

    def arn(self, service: str, rest: str) -> str:
        return f"arn:aws:{service}:{self.region.name}:{ACCOUNT}:{rest}"


__all__ = ["ACCOUNT", "AwsResourceType", "InputModel", "Properties", "Refused", "Tags", "Zone"]
