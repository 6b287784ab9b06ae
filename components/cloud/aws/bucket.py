"""The bucket of the site's backups, and the role with which instances use it."""

from __future__ import annotations

import json
from dataclasses import dataclass

import pulumi
from pulumi_aws import s3

from components.cloud import interface
from components.cloud.aws.instance_role import instance_role

OLD_VERSION_DAYS = 30
"""Days that a deleted or overwritten object can still be brought back."""

ACCESS_DELAY = 120
"""Seconds. A change of IAM takes effect a while later (IAM user guide, "Troubleshoot IAM", "Changes that I make are not
always immediately visible"), and so does the profile of an instance that runs.
"""


@dataclass(frozen=True)
class BucketArgs:
    """`protect_data`: whether to refuse the bucket's deletion."""

    protect_data: bool


class Bucket(pulumi.ComponentResource):
    """A bucket that keeps what is deleted from it (bucket, versioning, lifecycle, block of public access, role).

    The role may read, write and delete objects. It may delete no version and change none of the bucket's settings, so
    root on a node can hide backups but not destroy them before `OLD_VERSION_DAYS` have passed.

    The bucket and its settings outlive the stack. S3 deletes no bucket with objects, and without its settings what
    remains would not stay private. S3 encrypts every object by default, and no new bucket has ACLs (Amazon S3 user
    guide, "Setting default server-side encryption behavior" and "Controlling ownership of objects").
    """

    def __init__(self, name: str, args: BucketArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("ha-wordpress:aws:Bucket", name, None, opts)
        kept = pulumi.ResourceOptions(parent=self, protect=args.protect_data, retain_on_delete=True)
        tags = {"Name": f"{pulumi.get_stack()}-{name}", "Stack": pulumi.get_stack()}
        bucket = s3.Bucket(name, tags=tags, opts=kept)
        versioning = s3.BucketVersioning(
            name,
            bucket=bucket.bucket,
            versioning_configuration=s3.BucketVersioningVersioningConfigurationArgs(status="Enabled"),
            opts=kept,
        )
        private = s3.BucketPublicAccessBlock(
            name,
            bucket=bucket.bucket,
            block_public_acls=True,
            block_public_policy=True,
            ignore_public_acls=True,
            restrict_public_buckets=True,
            opts=kept,
        )
        s3.BucketLifecycleConfiguration(
            name,
            # by way of the versioning, which must be on before a rule names old versions
            bucket=versioning.bucket,
            rules=[
                s3.BucketLifecycleConfigurationRuleArgs(
                    id="old-versions",
                    status="Enabled",
                    filter=s3.BucketLifecycleConfigurationRuleFilterArgs(prefix=""),
                    noncurrent_version_expiration=s3.BucketLifecycleConfigurationRuleNoncurrentVersionExpirationArgs(
                        noncurrent_days=OLD_VERSION_DAYS
                    ),
                    expiration=s3.BucketLifecycleConfigurationRuleExpirationArgs(expired_object_delete_marker=True),
                    abort_incomplete_multipart_upload=(
                        s3.BucketLifecycleConfigurationRuleAbortIncompleteMultipartUploadArgs(days_after_initiation=7)
                    ),
                )
            ],
            opts=kept,
        )
        self.role = instance_role(name, bucket.arn.apply(objects_policy), tags, pulumi.ResourceOptions(parent=self))
        self.bucket = interface.Bucket(
            url=pulumi.Output.all(bucket.bucket_regional_domain_name, bucket.bucket).apply(lambda names: url(*names)),
            access_key=None,
            usable=[versioning, private, *self.role.permissions],
            access_delay=ACCESS_DELAY,
        )
        self.register_outputs({"url": self.bucket.url})


def url(domain: str, bucket: str) -> str:
    """Address of a bucket, in the form in which restic finds its region. `domain`: the bucket's own, regional one."""
    return f"https://{domain.removeprefix(f'{bucket}.')}/{bucket}"


def objects_policy(bucket: str) -> str:
    """IAM policy that lets an instance list, read, write and delete a bucket's objects. `bucket`: its ARN."""
    return json.dumps(
        {
            "Version": "2012-10-17",
            "Statement": [
                {"Effect": "Allow", "Action": ["s3:ListBucket"], "Resource": bucket},
                {
                    "Effect": "Allow",
                    "Action": ["s3:GetObject", "s3:PutObject", "s3:DeleteObject"],
                    "Resource": f"{bucket}/*",
                },
            ],
        }
    )
