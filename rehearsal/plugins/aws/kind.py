"""What every AWS kind has in common: ids, ARNs, references that must exist, and deletes refused while in use."""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterator
from typing import Annotated, Any, ClassVar

from pydantic import AfterValidator, BaseModel

from rehearsal.plugins.provider import InputModel, Kind, Properties, Refused
from rehearsal.region import Record, Region

REFERENCE = re.compile(r"(vpc|subnet|sg|sgr|igw|rtb|i|vol|eipalloc)-[0-9a-f]{17}|arn:aws:elasticloadbalancing:\S+")
ACCOUNT = "123456789012"


def _zone(zone: str) -> str:
    letters = "abcdef" if zone.startswith("us-east-1") else "abc"
    if not re.fullmatch(rf"[a-z]{{2}}(-[a-z]+)+-\d[{letters}]", zone):
        raise ValueError(f"InvalidParameterValue: availability zone {zone} does not exist")
    return zone


Zone = Annotated[str, AfterValidator(_zone)]
Tags = dict[str, str]


class AwsKind(Kind):
    """A kind of AWS resource, kept in the region's records."""

    prefix: ClassVar[str]
    """Of its ids: `vpc` for vpc-0123456789abcdef0."""
    may_outlive: ClassVar[frozenset[str]] = frozenset()
    """Tokens of resources that may still name it when it is deleted."""

    def __init__(self, region: Region) -> None:
        self.region = region

    def create(self, inputs: Any, urn: str) -> tuple[str, Properties]:
        for reference in references(inputs):
            if reference not in self.region.records:
                raise Refused(f"{self.token}: {reference} does not exist")
        resource_id = self.new_id(inputs)
        if resource_id in self.region.records:
            raise Refused(f"{self.token}: {resource_id} exists already")
        outputs = self.make(resource_id, inputs)
        self.region.records[resource_id] = Record(self.token, inputs)
        return resource_id, outputs

    def update(self, resource_id: str, old: Properties, inputs: Any) -> Properties:
        outputs = self.change(resource_id, self.region.records[resource_id].inputs, inputs)
        self.region.records[resource_id] = Record(self.token, inputs)
        return outputs

    def read(self, resource_id: str) -> bool:
        return resource_id in self.region.records

    def delete(self, resource_id: str, state: Properties, inputs: Any) -> None:
        for other, record in self.region.records.items():
            if record.token not in self.may_outlive and resource_id in references(record.inputs):
                raise Refused(f"{self.token}: DependencyViolation: {resource_id} is in use by {other} ({record.token})")
        self.unmake(resource_id, inputs)
        self.region.records.pop(resource_id, None)

    def new_id(self, inputs: Any) -> str:
        return f"{self.prefix}-0{secrets.token_hex(8)}"

    def arn(self, service: str, rest: str) -> str:
        return f"arn:aws:{service}:{self.region.name}:{ACCOUNT}:{rest}"

    def make(self, resource_id: str, inputs: Any) -> Properties:
        """Do what the cloud would; most of a network is only a record."""
        return {}

    def change(self, resource_id: str, old: Any, new: Any) -> Properties:
        changed = [
            name for name in type(new).model_fields if getattr(old, name) != getattr(new, name) and name != "tags"
        ]
        if changed:
            raise Refused(f"{self.token}: a change of {', '.join(changed)} in place is not stood in for")
        return {}

    def unmake(self, resource_id: str, inputs: Any) -> None: ...


def references(value: Any) -> Iterator[str]:
    """Every id or ARN of another resource in some inputs."""
    if isinstance(value, str):
        if REFERENCE.fullmatch(value):
            yield value
    elif isinstance(value, BaseModel):
        for _, part in value:
            yield from references(part)
    elif isinstance(value, dict):
        for part in value.values():
            yield from references(part)
    elif isinstance(value, list | tuple):
        for part in value:
            yield from references(part)


__all__ = ["AwsKind", "InputModel", "Properties", "Refused", "Tags", "Zone", "references"]
