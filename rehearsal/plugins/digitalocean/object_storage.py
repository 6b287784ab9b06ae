"""Spaces: a bucket in the region's object storage, and access keys."""

from __future__ import annotations

import secrets
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from rehearsal.plugins.digitalocean.resource_type import (
    DigitalOceanResourceType,
    InputModel,
    Properties,
    Refused,
    RegionSlug,
    matching,
    now,
)
from rehearsal.region.object_storage import Account, Address, BucketNotEmpty, ObjectStorage, Statement
from rehearsal.region.region import Region

WITHOUT_SPACES = frozenset({"ams2", "nyc1", "nyc2", "ric1", "sfo1"})
"""Regions without Spaces (DigitalOcean documentation, "Spaces Availability")."""

ON_OBJECTS = {
    "read": ["s3:GetObject"],
    "readwrite": ["s3:GetObject", "s3:PutObject", "s3:DeleteObject", "s3:DeleteObjectVersion"],
}
"""What a key may do with objects, by its permission. No document says whether it may delete versions: here it may."""


def storage(region: Region, slug: str) -> ObjectStorage:
    """The region's object storage under the name of Spaces. `slug`: DigitalOcean's name of the region."""
    return region.object_storage(Address(f"https://{slug}.digitaloceanspaces.com"))


def _has_spaces(region: str) -> str:
    if region in WITHOUT_SPACES:
        raise ValueError(f"422 {region} has no Spaces")
    return region


BucketName = Annotated[str, matching(r"[a-z0-9][a-z0-9-]{1,61}[a-z0-9]", "a bucket's name: 3 to 63 of a-z 0-9 -")]
Days = Annotated[int, Field(ge=1)]


class Versioning(InputModel):
    enabled: bool = False


class NoncurrentVersionExpiration(InputModel):
    days: Days


class Expiration(InputModel):
    expired_object_delete_marker: bool


class LifecycleRule(InputModel):
    id: str | None = None
    enabled: bool
    noncurrent_version_expiration: NoncurrentVersionExpiration | None = None
    expiration: Expiration | None = None
    abort_incomplete_multipart_upload_days: Days | None = None


class SpacesBucketInputs(InputModel):
    name: BucketName
    region: Annotated[RegionSlug, AfterValidator(_has_spaces)] = "nyc3"
    acl: Literal["private"] = "private"
    force_destroy: bool = False
    versioning: Versioning = Versioning()
    lifecycle_rules: list[LifecycleRule] = []


class SpacesBucket(DigitalOceanResourceType[SpacesBucketInputs]):
    """A bucket. Its lifecycle is a record only: a rehearsal ends before a version expires."""

    token = "digitalocean:index/spacesBucket:SpacesBucket"
    replaces = frozenset({"name", "region"})
    in_place = frozenset({"force_destroy", "versioning", "lifecycle_rules"})
    computed = frozenset({"bucketDomainName", "bucketUrn", "endpoint"})

    def new_id(self, inputs: SpacesBucketInputs) -> str:
        return inputs.name

    def on_create(self, resource_id: str, inputs: SpacesBucketInputs) -> Properties:
        endpoint = f"{inputs.region}.digitaloceanspaces.com"
        objects = storage(self.region, inputs.region)
        objects.new_bucket(resource_id)
        if inputs.versioning.enabled:
            objects.set_versioning(resource_id, "Enabled")
        return {
            "bucketDomainName": f"{resource_id}.{endpoint}", "bucketUrn": f"do:space:{resource_id}",
            "endpoint": endpoint,
        }  # fmt: skip

    def on_update(self, resource_id: str, old: SpacesBucketInputs, new: SpacesBucketInputs) -> Properties:
        status = "Enabled" if new.versioning.enabled else "Suspended"
        storage(self.region, new.region).set_versioning(resource_id, status)
        return {}

    def on_delete(self, resource_id: str, inputs: SpacesBucketInputs) -> None:
        if inputs.force_destroy:
            raise Refused(f"{self.token}: forceDestroy is not supported by the rehearsal")
        try:
            storage(self.region, inputs.region).delete_bucket(resource_id)
        except BucketNotEmpty as error:
            raise Refused(f"{self.token}: BucketNotEmpty: {resource_id} has objects") from error


class Grant(InputModel):
    bucket: str
    permission: Literal["read", "readwrite"]


class SpacesKeyInputs(InputModel):
    name: str
    grants: Annotated[list[Grant], Field(min_length=1, max_length=1)]


class SpacesKey(DigitalOceanResourceType[SpacesKeyInputs]):
    """A key with rights on one bucket."""

    token = "digitalocean:index/spacesKey:SpacesKey"
    computed = frozenset({"accessKey", "createdAt", "secretKey"})
    in_place = frozenset({"name"})
    unique = False

    def new_id(self, inputs: SpacesKeyInputs) -> str:
        return f"DO00{secrets.token_hex(8).upper()}"

    def on_create(self, resource_id: str, inputs: SpacesKeyInputs) -> Properties:
        (grant,) = inputs.grants
        account = Account(resource_id, secrets.token_urlsafe(30))
        bucket = f"arn:aws:s3:::{grant.bucket}"
        rights = [
            Statement(account, ["s3:ListBucket"], bucket),
            Statement(account, ON_OBJECTS[grant.permission], f"{bucket}/*"),
        ]
        self._storage(grant).permit(grant.bucket, rights)
        return {"accessKey": resource_id, "createdAt": now(), "secretKey": account.secret_access_key}

    def on_delete(self, resource_id: str, inputs: SpacesKeyInputs) -> None:
        (grant,) = inputs.grants
        if grant.bucket in self.existing(SpacesBucket):
            self._storage(grant).permit(grant.bucket, [])

    def _storage(self, grant: Grant) -> ObjectStorage:
        if grant.bucket not in self.existing(SpacesBucket):
            raise Refused(f"{self.token}: 404 there is no bucket {grant.bucket}")
        return storage(self.region, self.inputs_of(SpacesBucket, grant.bucket).region)


RESOURCE_TYPES = [SpacesBucket, SpacesKey]
