"""The base of every AWS resource type: ids, ARNs, zones, tags, and the calls that create a resource."""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, ClassVar

from pydantic import AfterValidator

from rehearsal.plugins import cloud
from rehearsal.plugins.aws import offerings
from rehearsal.plugins.aws.api_model import NEW, Call
from rehearsal.plugins.cloud import CloudResourceType
from rehearsal.plugins.protocol import InputModel, InputsT, Properties, Refused

REFERENCE = re.compile(
    r"(vpc|subnet|sg|sgr|igw|rtb|i|vol|eipalloc)-[0-9a-f]{17}|arn:aws:(elasticloadbalancing|sns):\S+"
)
ACCOUNT = "123456789012"

TAGS = 50
"""Number of tags of one resource (Amazon EC2 User Guide, "Tag restrictions", as are their lengths and the prefix)."""

GROUPS = 5
"""Number of security groups of one network interface, unless Amazon raises it (Amazon VPC User Guide, "Quotas")."""


def matching(pattern: str, code: str, what: str) -> AfterValidator:
    return cloud.matching(pattern, f"{code}:", what)


def _zone(zone: str) -> str:
    if not re.fullmatch(r"[a-z]{2}(-[a-z]+)+-\d[a-z]", zone) or zone not in offerings.zones(zone[:-1]):
        raise ValueError(f"InvalidParameterValue: availability zone {zone} does not exist")
    return zone


def _tags(tags: dict[str, str]) -> dict[str, str]:
    if len(tags) > TAGS:
        raise ValueError(f"TagLimitExceeded: {len(tags)} tags; {TAGS} are allowed")
    for key, value in tags.items():
        if not 1 <= len(key) <= 128 or len(value) > 256:
            raise ValueError(f"InvalidParameterValue: tag {key!r}: a key has 1 to 128 characters, a value 256 at most")
        if key.lower().startswith("aws:"):
            raise ValueError(f"InvalidParameterValue: tag {key!r}: the prefix aws: is reserved")
    return tags


def _groups(groups: list[str]) -> list[str]:
    if len(groups) > GROUPS:
        raise ValueError(f"SecurityGroupsPerInterfaceLimitExceeded: {len(groups)} groups; {GROUPS} are allowed")
    return groups


Zone = Annotated[str, AfterValidator(_zone)]
Tags = Annotated[dict[str, str], AfterValidator(_tags)]
SecurityGroups = Annotated[list[str], AfterValidator(_groups)]


class AwsResourceType(CloudResourceType[InputsT]):
    """An AWS resource type."""

    reference = REFERENCE
    in_place = frozenset({"tags"})
    prefix: ClassVar[str]
    """The prefix of the ids: `vpc` for vpc-0123456789abcdef0."""
    not_sent: ClassVar[frozenset[str]] = frozenset()
    """Fields of the inputs that are in none of `calls`: they steer the provider, or an update or deletion."""

    def calls(self, inputs: InputsT) -> Iterator[Call]:
        """The API's calls by which the provider creates the resource; `NEW` stands for the resource's id in them."""
        raise NotImplementedError

    def create(self, inputs: InputsT, urn: str) -> tuple[str, Properties]:
        self._refuse(inputs)
        return super().create(inputs, urn)

    def update(self, resource_id: str, old: Properties, inputs: InputsT) -> Properties:
        self._refuse(inputs)
        return super().update(resource_id, old, inputs)

    def new_id(self, inputs: InputsT) -> str:
        return f"{self.prefix}-0{secrets.token_hex(8)}"

    def arn(self, service: str, rest: str) -> str:
        return f"arn:aws:{service}:{self.region.name}:{ACCOUNT}:{rest}"

    def _refuse(self, inputs: InputsT) -> None:
        for call in self.calls(inputs):
            call.refuse()


def tag_list(tags: Mapping[str, str]) -> list[dict[str, str]]:
    """Tags as most services take them."""
    return [{"Key": key, "Value": value} for key, value in tags.items()]


def tag_specifications(tags: Mapping[str, str], resource_type: str) -> list[dict[str, Any]]:
    """Tags as EC2 takes them for a new resource, for example of type `volume`."""
    return [{"ResourceType": resource_type, "Tags": tag_list(tags)}] if tags else []


__all__ = [
    "ACCOUNT", "NEW", "AwsResourceType", "Call", "InputModel", "Properties", "Refused", "SecurityGroups", "Tags",
    "Zone", "matching", "tag_list", "tag_specifications",
]  # fmt: skip
