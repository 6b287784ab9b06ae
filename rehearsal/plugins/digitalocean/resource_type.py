"""The base of every DigitalOcean resource type: ids, URNs, names, tags and slugs."""

from __future__ import annotations

import datetime
import re
import uuid
from typing import Annotated, ClassVar

from pulumi_digitalocean import DatabaseSlug, DropletSlug, Region
from pydantic import AfterValidator

from rehearsal.plugins import cloud
from rehearsal.plugins.cloud import CloudResourceType
from rehearsal.plugins.protocol import InputModel, InputsT, Properties, Refused


def matching(pattern: str, what: str) -> AfterValidator:
    return cloud.matching(pattern, "422", what)


RegionSlug = Annotated[str, cloud.known(Region, "422", "a region")]
DropletSize = Annotated[str, cloud.known(DropletSlug, "422", "a droplet size")]
DatabaseSize = Annotated[str, cloud.known(DatabaseSlug, "422", "a database size")]
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
