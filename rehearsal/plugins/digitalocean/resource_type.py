"""The base of every DigitalOcean resource type: ids, URNs, names, tags and slugs."""

from __future__ import annotations

import datetime
import re
import uuid
from enum import Enum
from typing import Annotated, ClassVar

from pulumi_digitalocean import DatabaseSlug, DropletSlug, Region
from pydantic import AfterValidator

from rehearsal.plugins.cloud import CloudResourceType
from rehearsal.plugins.protocol import InputModel, InputsT, Properties, Refused


def known(slugs: type[Enum], what: str) -> AfterValidator:
    """A validator that accepts only slugs that the provider's SDK lists. `what`: their name in the error."""
    values = {slug.value for slug in slugs}

    def check(value: str) -> str:
        if value not in values:
            raise ValueError(f"422 {value} is not {what} that the provider knows")
        return value

    return AfterValidator(check)


def matching(pattern: str, what: str) -> AfterValidator:
    def check(value: str) -> str:
        if not re.fullmatch(pattern, value):
            raise ValueError(f"422 {value!r} is not {what}")
        return value

    return AfterValidator(check)


RegionSlug = Annotated[str, known(Region, "a region")]
DropletSize = Annotated[str, known(DropletSlug, "a droplet size")]
DatabaseSize = Annotated[str, known(DatabaseSlug, "a database size")]
Tag = Annotated[str, matching(r"[a-zA-Z0-9:_-]{1,255}", "a tag: letters, digits, : _ and - only")]
Name = Annotated[str, matching(r"[a-zA-Z0-9][a-zA-Z0-9.-]*", "a name: letters, digits, . and - only")]


class DigitalOceanResourceType(CloudResourceType[InputsT]):
    """A DigitalOcean resource type."""

    reference = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|\d{8,9}")
    auto_name: ClassVar[str | None] = "name"
    unique: ClassVar[bool] = True
    """Whether a name may exist only once."""

    def create(self, inputs: InputsT, urn: str) -> tuple[str, Properties]:
        name = getattr(inputs, "name", None)
        if self.unique and any(getattr(other, "name", None) == name for other in self.existing(type(self)).values()):
            raise Refused(f"{self.token}: 409 the name {name} is taken")
        return super().create(inputs, urn)

    def new_id(self, inputs: InputsT) -> str:
        return str(uuid.uuid4())


def now() -> str:
    """The time in the API's form."""
    return datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


__all__ = [
    "DatabaseSize", "DigitalOceanResourceType", "DropletSize", "InputModel", "Name", "Properties", "Refused",
    "RegionSlug", "Tag", "matching", "now",
]  # fmt: skip
