"""Stand-in for object storage: versitygw, an S3 server that keeps objects as files and checks each request's signature.

It keeps versions, and grants an account what its policy of a bucket grants. It shows nothing of a provider's
durability, of a limit on requests, of a bucket's lifecycle or of its block of public access.
"""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import botocore.session
from botocore.config import Config
from botocore.exceptions import ClientError

from rehearsal.region.endpoint import Endpoint
from rehearsal.region.service import Service
from rehearsal.region.service_context import ServiceContext
from rehearsal.system.shell import ToolError, run

START_LIMIT = 30
"""Seconds until the server answers."""


@dataclass(frozen=True)
class Address:
    """How clients reach a cloud's object storage."""

    url: str
    """Its address, such as https://s3.us-east-1.amazonaws.com."""
    region: str = "us-east-1"
    """The region that they sign their requests for."""
    hosted: str = ""
    """Domain below which they expect each bucket, such as s3.dualstack.us-east-1.amazonaws.com; empty: they write the
    bucket into the path.
    """


@dataclass(frozen=True)
class Account:
    """An access key and its secret."""

    access_key_id: str
    secret_access_key: str

    @classmethod
    def new(cls, prefix: str) -> Account:
        """An account with a random key in the form of a cloud, such as AKIA…; `prefix`: its first letters.

        Not ASIA, as of the keys of a role: the server refuses such a key without a session token.
        """
        return cls(prefix + secrets.token_hex(8).upper(), secrets.token_urlsafe(30))


@dataclass(frozen=True)
class Statement:
    """A right of an account. `actions`, `resource`: as in a policy of S3."""

    account: Account
    actions: Sequence[str]
    resource: str


class BucketNotEmpty(Exception):
    """A bucket with objects, or with versions of deleted ones, cannot be deleted."""


class ObjectStorage:
    """An S3 server with a certificate of the region's authority. All its buckets belong to the cloud's own account."""

    def __init__(self, address: Address, endpoint: Endpoint, program: Path, context: ServiceContext) -> None:
        """Start it, and wait until it answers. Raises `ToolError` when it does not."""
        name, hosted = urlsplit(address.url).hostname, address.hosted
        assert name
        self.address = address
        self._endpoint, self._dns = endpoint, context.dns
        self._program, self._owner = str(program), Account.new("AKIA")
        self._accounts: set[Account] = set()
        directory = context.logs.parent / "objects"
        self._files = directory / "files"
        for folder in ("files", "attributes", "versions", "accounts"):
            (directory / folder).mkdir(parents=True)
        context.ca.sign(directory, name, endpoint.address, *([f"*.{hosted}"] if hosted else []))
        authority = directory / "authority.pem"
        authority.write_text(context.ca.certificate)
        context.network.plug(endpoint, configured=True)
        self._prefix = ["nsenter", f"--net={endpoint.namespace}"]
        self._service = Service(
            [
                *self._prefix, "env",
                f"ROOT_ACCESS_KEY={self._owner.access_key_id}", f"ROOT_SECRET_KEY={self._owner.secret_access_key}",
                self._program, "--port", ":443", "--health", "/health", "--quiet", "--region", address.region,
                "--cert", str(directory / "certificate.pem"), "--key", str(directory / "key.pem"),
                "--iam-dir", str(directory / "accounts"), *(["--virtual-domain", hosted] if hosted else []),
                "posix", "--sidecar", str(directory / "attributes"), "--versioning-dir", str(directory / "versions"),
                str(self._files),
            ],
            context.logs / f"{endpoint.name}.log",
        )  # fmt: skip
        end = time.monotonic() + START_LIMIT
        while True:
            self._service.check()
            try:
                run(
                    *self._prefix,
                    "curl",
                    "--silent",
                    "--show-error",
                    "--fail",
                    "--insecure",
                    "https://127.0.0.1/health",
                )
                break
            except ToolError:
                if time.monotonic() > end:
                    raise
                time.sleep(0.05)
        self._authority = authority
        self.client = self.client_of(self._owner)
        """A client of the cloud's own account."""
        context.dns.set(name, endpoint.address)

    def client_of(self, account: Account) -> Any:
        """A client of S3 with an account's key, outside the region's machines."""
        return botocore.session.get_session().create_client(
            "s3",
            endpoint_url=f"https://{self._endpoint.address}",
            region_name=self.address.region,
            verify=str(self._authority),
            aws_access_key_id=account.access_key_id,
            aws_secret_access_key=account.secret_access_key,
            config=Config(s3={"addressing_style": "path"}, proxies={}, connect_timeout=10, read_timeout=30),
        )

    def new_bucket(self, name: str) -> None:
        """Make an empty bucket."""
        self.client.create_bucket(Bucket=name)
        self._name(name, self._endpoint.address)

    def delete_bucket(self, name: str) -> None:
        """Delete a bucket. Raises `BucketNotEmpty`."""
        try:
            self.client.delete_bucket(Bucket=name)
        except ClientError as error:
            raise BucketNotEmpty(name) from error
        self._name(name, None)

    def set_versioning(self, bucket: str, status: str) -> None:
        """Keep versions of what is overwritten or deleted from now on (`Enabled`), or do not (`Suspended`)."""
        self.client.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": status})

    def permit(self, bucket: str, statements: Sequence[Statement]) -> None:
        """Give accounts these rights on a bucket, in the place of all others."""
        for account in {statement.account for statement in statements} - self._accounts:
            self._new_account(account)
        if not statements:
            self.client.delete_bucket_policy(Bucket=bucket)
            return
        policy = {
            "Version": "2012-10-17",
            "Statement": [
                {
                    "Effect": "Allow",
                    "Principal": {"AWS": [statement.account.access_key_id]},
                    "Action": list(statement.actions),
                    "Resource": statement.resource,
                }
                for statement in statements
            ],
        }
        self.client.put_bucket_policy(Bucket=bucket, Policy=json.dumps(policy))

    def objects(self, bucket: str) -> list[Path]:
        """The files of a bucket's objects."""
        return sorted(path for path in (self._files / bucket).rglob("*") if path.is_file())

    def _name(self, bucket: str, address: str | None) -> None:
        if self.address.hosted:
            self._dns.set(f"{bucket}.{self.address.hosted}", address)

    def _new_account(self, account: Account) -> None:
        run(
            *self._prefix, self._program, "admin",
            "--access", self._owner.access_key_id, "--secret", self._owner.secret_access_key,
            "--region", self.address.region, "--endpoint-url", "https://127.0.0.1", "--allow-insecure",
            "create-user", "--role", "user",
            "--access", account.access_key_id, "--secret", account.secret_access_key,
        )  # fmt: skip
        self._accounts.add(account)
