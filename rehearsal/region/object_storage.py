"""Stand-in for object storage: versitygw, an S3 server that keeps objects as files and checks each request's signature.

It has one account, which owns every bucket. So it shows nothing of a provider's durability, of rights on one bucket,
of the versions of an object, or of a limit on requests.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from rehearsal.region.endpoint import Endpoint
from rehearsal.region.service import Service
from rehearsal.region.service_context import ServiceContext
from rehearsal.system.shell import ToolError, run

START_LIMIT = 30
"""Seconds until the server answers."""


@dataclass(frozen=True)
class Account:
    """An access key and its secret."""

    access_key_id: str
    secret_access_key: str


class ObjectStorage:
    """An S3 server with a certificate of the region's authority."""

    def __init__(
        self, url: str, endpoint: Endpoint, program: Path, account: Account, directory: Path, context: ServiceContext
    ) -> None:
        """Start it, and wait until it answers. Raises `ToolError` when it does not.

        `url`: its address, such as https://s3.rehearsal.test. `directory`: for the objects; it makes it.
        """
        name = urlsplit(url).hostname
        assert name
        files = directory / "objects"
        files.mkdir(parents=True)
        (directory / "attributes").mkdir()
        issued = context.ca.issue(name)
        (directory / "certificate.pem").write_text(issued.certificate)
        (directory / "key.pem").write_text(issued.key)
        context.network.plug(endpoint, configured=True)
        prefix = ["nsenter", f"--net={endpoint.namespace}"]
        self._files = files
        self._service = Service(
            [
                *prefix, "env",
                f"ROOT_ACCESS_KEY={account.access_key_id}", f"ROOT_SECRET_KEY={account.secret_access_key}",
                str(program), "--port", ":443", "--health", "/health", "--quiet",
                "--cert", str(directory / "certificate.pem"), "--key", str(directory / "key.pem"),
                "posix", "--sidecar", str(directory / "attributes"), str(files),
            ],
            context.logs / f"{endpoint.name}.log",
        )  # fmt: skip
        end = time.monotonic() + START_LIMIT
        while True:
            self._service.check()
            try:
                run(*prefix, "curl", "--silent", "--show-error", "--fail", "--insecure", "https://127.0.0.1/health")
                break
            except ToolError:
                if time.monotonic() > end:
                    raise
                time.sleep(0.05)
        context.dns.set(name, endpoint.address)

    def new_bucket(self, name: str) -> None:
        """Make a bucket, as the operator does before the first `up`."""
        (self._files / name).mkdir()

    def objects(self, bucket: str) -> list[Path]:
        """The files of a bucket's objects."""
        return sorted(path for path in (self._files / bucket).rglob("*") if path.is_file())
