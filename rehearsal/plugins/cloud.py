"""The base of every cloud's resource types: a reference must exist, and a resource in use cannot be deleted."""

from __future__ import annotations

import re
from collections.abc import Iterator
from enum import Enum
from functools import partial
from typing import Any, ClassVar, TypeVar

from pydantic import AfterValidator, BaseModel

from rehearsal.plugins.protocol import InputModel, InputsT, Properties, Refused, ResourceType
from rehearsal.region.region import Record, Region

OtherT = TypeVar("OtherT", bound=InputModel)
"""The inputs of another resource type."""


def matching(pattern: str, code: str, what: str) -> AfterValidator:
    """A validator that accepts only texts of a pattern. `code`: the cloud's error code; `what`: their name, rules."""

    def check(value: str) -> str:
        if not re.fullmatch(pattern, value):
            raise ValueError(f"{code} {value!r} is not {what}")
        return value

    return AfterValidator(check)


def known(slugs: type[Enum], code: str, what: str) -> AfterValidator:
    """A validator that accepts only values that the provider's SDK lists. `what`: their name in the error."""
    values = {slug.value for slug in slugs}

    def check(value: str) -> str:
        if value not in values:
            raise ValueError(f"{code} {value} is not {what} that the provider knows")
        return value

    return AfterValidator(check)


class CloudResourceType(ResourceType[InputsT]):
    """A resource type whose resources are kept in the region's records."""

    reference: ClassVar[re.Pattern[str]]
    """The form of the ids of the cloud's resources; an input that has it is taken for a reference."""
    in_place: ClassVar[frozenset[str]] = frozenset()
    """Fields of the inputs that can change without a new resource."""
    may_outlive: ClassVar[frozenset[str]] = frozenset()
    """Tokens of resource types that may still refer to a resource when it is deleted."""
    ends_with_it: ClassVar[frozenset[str]] = frozenset()
    """Tokens of resource types that end with a resource that they refer to, as an attachment with its machine."""
    error_if_gone: ClassVar[str | None] = None
    """The error when the provider deletes a resource that is gone already; None: it takes it for deleted."""

    def __init__(self, region: Region) -> None:
        self.region = region

    def create(self, inputs: InputsT, urn: str) -> tuple[str, Properties]:
        for reference in self.references(inputs):
            if reference not in self.region.records:
                raise Refused(f"{self.token}: {reference} does not exist")
        resource_id = self.new_id(inputs)
        if resource_id in self.region.records:
            raise Refused(f"{self.token}: {resource_id} exists already")
        outputs = self.on_create(resource_id, inputs)
        self._record(resource_id, inputs)
        self.after_change()
        return resource_id, outputs

    def update(self, resource_id: str, old: Properties, inputs: InputsT) -> Properties:
        if resource_id not in self.region.records:
            raise Refused(f"{self.token}: {resource_id} does not exist")
        before = self.region.records[resource_id].inputs
        changed = [name for name in type(inputs).model_fields if getattr(before, name) != getattr(inputs, name)]
        fixed = sorted(set(changed) - self.in_place)
        if fixed:
            raise Refused(f"{self.token}: a change of {', '.join(fixed)} in place is not supported by the rehearsal")
        outputs = self.on_update(resource_id, before, inputs)
        self._record(resource_id, inputs)
        self.after_change()
        return outputs

    def read(self, resource_id: str) -> bool:
        return resource_id in self.region.records

    def delete(self, resource_id: str, state: Properties, inputs: InputsT) -> None:
        if resource_id not in self.region.records:
            if self.error_if_gone:
                raise Refused(f"{self.token}: {self.error_if_gone}: {resource_id}")
            return
        for other, record in self.referring(resource_id):
            if record.token not in self.may_outlive:
                raise Refused(f"{self.token}: {resource_id} is in use by {other} ({record.token})")
        self.on_delete(resource_id, inputs)
        self._end(resource_id)

    def lose(self, resource_id: str) -> None:
        """Remove a resource without a request, and those that end with it."""
        self.on_loss(resource_id, self.region.records[resource_id].inputs)
        self._end(resource_id)

    def referring(self, resource_id: str) -> list[tuple[str, Record]]:
        """The resources whose inputs refer to a resource, by id."""
        records = list(self.region.records.items())
        return [(key, record) for key, record in records if resource_id in self.references(record.inputs)]

    def existing(self, resource_type: type[CloudResourceType[OtherT]]) -> dict[str, OtherT]:
        """The inputs of all resources of a type that exist, by id."""
        records = list(self.region.records.items())
        return {key: record.inputs for key, record in records if record.token == resource_type.token}

    def inputs_of(self, resource_type: type[CloudResourceType[OtherT]], resource_id: str) -> OtherT:
        """The inputs of an existing resource. Raises `Refused` when the resource has another type."""
        record = self.region.records[resource_id]
        if record.token != resource_type.token:
            raise Refused(f"{self.token}: {resource_id} is a {record.token}, not a {resource_type.token}")
        inputs: OtherT = record.inputs
        return inputs

    def references(self, value: Any) -> Iterator[str]:
        """Every id of another resource in the inputs, at any depth."""
        if isinstance(value, str | int):
            if self.reference.fullmatch(str(value)):
                yield str(value)
        elif isinstance(value, BaseModel):
            for _, part in value:
                yield from self.references(part)
        elif isinstance(value, dict):
            for part in value.values():
                yield from self.references(part)
        elif isinstance(value, list | tuple):
            for part in value:
                yield from self.references(part)

    def new_id(self, inputs: InputsT) -> str:
        """An id in the cloud's own form."""
        raise NotImplementedError

    def on_create(self, resource_id: str, inputs: InputsT) -> Properties:
        """Make what the cloud would make, and return the outputs; most of a network is only a record."""
        return {}

    def on_update(self, resource_id: str, old: InputsT, new: InputsT) -> Properties:
        """Change what the cloud would change in place, and return the outputs."""
        return {}

    def on_delete(self, resource_id: str, inputs: InputsT) -> None:
        """Delete what the cloud would delete."""

    def on_loss(self, resource_id: str, inputs: InputsT) -> None:
        """Remove what is gone when the resource fails for good: as in a deletion, unless a type overrides this."""
        self.on_delete(resource_id, inputs)

    def after_change(self) -> None:
        """Bring other resources in line with the records, after each change of them."""

    def _record(self, resource_id: str, inputs: InputsT) -> None:
        self.region.records[resource_id] = Record(self.token, inputs, partial(self.lose, resource_id))

    def _end(self, resource_id: str) -> None:
        del self.region.records[resource_id]
        for _, record in self.referring(resource_id):
            if record.token in self.ends_with_it:
                record.lose()
        self.after_change()
