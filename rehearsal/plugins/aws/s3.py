"""S3: a bucket in the region's object storage, and its settings."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Generic, Literal, TypeVar

from pydantic import Field

from rehearsal.plugins.aws.resource_type import (
    AwsResourceType,
    Call,
    InputModel,
    Properties,
    Refused,
    Tags,
    matching,
    tag_list,
)
from rehearsal.region.object_storage import Address, BucketNotEmpty, ObjectStorage
from rehearsal.region.region import Region

BucketName = Annotated[
    str, matching(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]", "InvalidBucketName", "a bucket's name: 3 to 63 of a-z 0-9 . -")
]
Days = Annotated[int, Field(ge=1)]


def storage(region: Region) -> ObjectStorage:
    """The region's object storage under Amazon's names, of which clients use the dual-stack one for a bucket."""
    name = region.name
    return region.object_storage(
        Address(f"https://s3.{name}.amazonaws.com", name, hosted=f"s3.dualstack.{name}.amazonaws.com")
    )


class BucketInputs(InputModel):
    bucket: BucketName
    force_destroy: bool = False
    tags: Tags = {}


class Bucket(AwsResourceType[BucketInputs]):
    token = "aws:s3/bucket:Bucket"
    replaces = frozenset({"bucket"})
    in_place = frozenset({"tags", "force_destroy"})
    computed = frozenset({"arn", "bucketDomainName", "bucketRegionalDomainName", "bucketRegion"})
    auto_name = "bucket"
    not_sent = frozenset({"force_destroy"})

    def calls(self, inputs: BucketInputs) -> Iterator[Call]:
        # us-east-1 is the one region that CreateBucket does not take (API reference, "LocationConstraint")
        place = None if self.region.name == "us-east-1" else {"LocationConstraint": self.region.name}
        yield Call("s3", "CreateBucket", Bucket=inputs.bucket, CreateBucketConfiguration=place)
        if inputs.tags:
            yield Call("s3", "PutBucketTagging", Bucket=inputs.bucket, Tagging={"TagSet": tag_list(inputs.tags)})

    def new_id(self, inputs: BucketInputs) -> str:
        return inputs.bucket

    def on_create(self, resource_id: str, inputs: BucketInputs) -> Properties:
        storage(self.region).new_bucket(resource_id)
        return {
            "arn": f"arn:aws:s3:::{resource_id}", "bucketDomainName": f"{resource_id}.s3.amazonaws.com",
            "bucketRegionalDomainName": f"{resource_id}.s3.{self.region.name}.amazonaws.com",
            "bucketRegion": self.region.name,
        }  # fmt: skip

    def on_delete(self, resource_id: str, inputs: BucketInputs) -> None:
        if inputs.force_destroy:
            raise Refused(f"{self.token}: forceDestroy is not supported by the rehearsal")
        try:
            storage(self.region).delete_bucket(resource_id)
        except BucketNotEmpty as error:
            raise Refused("BucketNotEmpty: The bucket you tried to delete is not empty") from error


class SettingInputs(InputModel):
    bucket: str


SettingT = TypeVar("SettingT", bound=SettingInputs)


class BucketSetting(AwsResourceType[SettingT], Generic[SettingT]):
    """A setting of a bucket. The provider's id of it is the bucket's name, which here is the id of the bucket."""

    replaces = frozenset({"bucket"})

    def new_id(self, inputs: SettingT) -> str:
        return f"{inputs.bucket},{type(self).__name__}"

    def on_create(self, resource_id: str, inputs: SettingT) -> Properties:
        if inputs.bucket not in self.existing(Bucket):
            raise Refused("NoSuchBucket: The specified bucket does not exist")
        return {}


class VersioningConfiguration(InputModel):
    status: Literal["Enabled", "Suspended"]


class BucketVersioningInputs(SettingInputs):
    versioning_configuration: VersioningConfiguration


class BucketVersioning(BucketSetting[BucketVersioningInputs]):
    token = "aws:s3/bucketVersioning:BucketVersioning"
    in_place = frozenset({"versioning_configuration"})

    def calls(self, inputs: BucketVersioningInputs) -> Iterator[Call]:
        status = inputs.versioning_configuration.status
        yield Call("s3", "PutBucketVersioning", Bucket=inputs.bucket, VersioningConfiguration={"Status": status})

    def on_create(self, resource_id: str, inputs: BucketVersioningInputs) -> Properties:
        super().on_create(resource_id, inputs)
        storage(self.region).set_versioning(inputs.bucket, inputs.versioning_configuration.status)
        return {}

    def on_update(self, resource_id: str, old: BucketVersioningInputs, new: BucketVersioningInputs) -> Properties:
        storage(self.region).set_versioning(new.bucket, new.versioning_configuration.status)
        return {}

    def on_delete(self, resource_id: str, inputs: BucketVersioningInputs) -> None:
        # as the provider does (terraform-provider-aws, bucket_versioning.go)
        storage(self.region).set_versioning(inputs.bucket, "Suspended")


class BucketPublicAccessBlockInputs(SettingInputs):
    block_public_acls: bool = False
    block_public_policy: bool = False
    ignore_public_acls: bool = False
    restrict_public_buckets: bool = False


class BucketPublicAccessBlock(BucketSetting[BucketPublicAccessBlockInputs]):
    """A record only: no bucket of the rehearsal's object storage is public."""

    token = "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock"
    in_place = frozenset(BucketPublicAccessBlockInputs.model_fields) - {"bucket"}

    def calls(self, inputs: BucketPublicAccessBlockInputs) -> Iterator[Call]:
        yield Call(
            "s3",
            "PutPublicAccessBlock",
            Bucket=inputs.bucket,
            PublicAccessBlockConfiguration={
                "BlockPublicAcls": inputs.block_public_acls,
                "BlockPublicPolicy": inputs.block_public_policy,
                "IgnorePublicAcls": inputs.ignore_public_acls,
                "RestrictPublicBuckets": inputs.restrict_public_buckets,
            },
        )


class Filter(InputModel):
    prefix: str


class NoncurrentVersionExpiration(InputModel):
    noncurrent_days: Days


class Expiration(InputModel):
    expired_object_delete_marker: bool


class AbortIncompleteMultipartUpload(InputModel):
    days_after_initiation: Days


class LifecycleRule(InputModel):
    id: str
    status: Literal["Enabled", "Disabled"]
    filter: Filter
    noncurrent_version_expiration: NoncurrentVersionExpiration | None = None
    expiration: Expiration | None = None
    abort_incomplete_multipart_upload: AbortIncompleteMultipartUpload | None = None


class BucketLifecycleConfigurationInputs(SettingInputs):
    rules: Annotated[list[LifecycleRule], Field(min_length=1)]


class BucketLifecycleConfiguration(BucketSetting[BucketLifecycleConfigurationInputs]):
    """A record only: a rehearsal ends before a version expires."""

    token = "aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration"
    in_place = frozenset({"rules"})

    def calls(self, inputs: BucketLifecycleConfigurationInputs) -> Iterator[Call]:
        yield Call(
            "s3",
            "PutBucketLifecycleConfiguration",
            Bucket=inputs.bucket,
            LifecycleConfiguration={"Rules": [self._rule(rule) for rule in inputs.rules]},
        )

    def _rule(self, rule: LifecycleRule) -> Properties:
        old, expired, upload = (
            rule.noncurrent_version_expiration,
            rule.expiration,
            rule.abort_incomplete_multipart_upload,
        )
        return {
            "ID": rule.id,
            "Status": rule.status,
            "Filter": {"Prefix": rule.filter.prefix},
            "NoncurrentVersionExpiration": old and {"NoncurrentDays": old.noncurrent_days},
            "Expiration": expired and {"ExpiredObjectDeleteMarker": expired.expired_object_delete_marker},
            "AbortIncompleteMultipartUpload": upload and {"DaysAfterInitiation": upload.days_after_initiation},
        }


RESOURCE_TYPES = [Bucket, BucketVersioning, BucketPublicAccessBlock, BucketLifecycleConfiguration]
