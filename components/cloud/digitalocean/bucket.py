"""The bucket of the site's backups, and the key with which droplets use it."""

from __future__ import annotations

from dataclasses import dataclass

import pulumi
import pulumi_digitalocean as digitalocean

from components.cloud import interface
from components.cloud.digitalocean.settings import DigitalOceanSettings

OLD_VERSION_DAYS = 30
"""Days that a deleted or overwritten object can still be brought back."""

ACCESS_DELAY = 120
"""Seconds; no document says how soon Spaces knows a new key."""


@dataclass(frozen=True)
class BucketArgs:
    settings: DigitalOceanSettings


class Bucket(pulumi.ComponentResource):
    """A bucket that keeps what is deleted from it, and a key with rights on it only (bucket, key).

    The bucket outlives the stack, as Spaces deletes none with objects. Spaces has no right that leaves out the deletion
    of versions (pulumi-digitalocean, `SpacesKeyGrant`: read, readwrite, fullaccess).
    """

    def __init__(self, name: str, args: BucketArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("ha-wordpress:digitalocean:Bucket", name, None, opts)
        bucket = digitalocean.SpacesBucket(
            name,
            region=args.settings.region,
            acl="private",
            versioning=digitalocean.SpacesBucketVersioningArgs(enabled=True),
            lifecycle_rules=[
                digitalocean.SpacesBucketLifecycleRuleArgs(
                    id="old-versions",
                    enabled=True,
                    noncurrent_version_expiration=digitalocean.SpacesBucketLifecycleRuleNoncurrentVersionExpirationArgs(
                        days=OLD_VERSION_DAYS
                    ),
                    expiration=digitalocean.SpacesBucketLifecycleRuleExpirationArgs(expired_object_delete_marker=True),
                    abort_incomplete_multipart_upload_days=7,
                )
            ],
            opts=pulumi.ResourceOptions(parent=self, protect=args.settings.protect_data, retain_on_delete=True),
        )
        key = digitalocean.SpacesKey(
            name,
            grants=[digitalocean.SpacesKeyGrantArgs(bucket=bucket.name, permission="readwrite")],
            opts=pulumi.ResourceOptions(parent=self),
        )
        self.bucket = interface.Bucket(
            url=pulumi.Output.format("https://{0}/{1}", bucket.endpoint, bucket.name),
            access_key=interface.AccessKey(key.access_key, key.secret_key),
            usable=[key],
            access_delay=ACCESS_DELAY,
        )
        self.register_outputs({"url": self.bucket.url})
