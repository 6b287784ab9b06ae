"""The cloud's metadata service: an HTTP server that gives each machine its own user data and the keys of its role.

It answers as Amazon's ("Use instance metadata", with a token) and as DigitalOcean's (API reference, "Metadata"), at the
address that both have.

Usage: python -m rehearsal.region.metadata DIRECTORY. The directory has a file for each machine's address, and one for
its role, if it has one. A role's keys come without a session token: the rehearsal's object storage makes none.
"""

from __future__ import annotations

import datetime
import json
import secrets
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

ADDRESS = "169.254.169.254"
TOKEN_PATH, TOKEN_HEADER = "/latest/api/token", "X-aws-ec2-metadata-token"
EC2_PATH, DROPLET_PATH = "/latest/user-data", "/metadata/v1/user-data"
ROLE_PATH = "/latest/meta-data/iam/security-credentials/"
LIFETIME = datetime.timedelta(hours=6)


def role_file(address: str) -> str:
    """Name of the file with the role of the machine at an address."""
    return f"{address}.role"


def role_text(role: str, access_key_id: str, secret_access_key: str) -> str:
    """Content of that file."""
    return json.dumps({"role": role, "key": {"AccessKeyId": access_key_id, "SecretAccessKey": secret_access_key}})


def credentials(key: dict[str, str]) -> dict[str, str]:
    """A role's keys in the form of Amazon's ("Retrieve security credentials from instance metadata")."""
    now = datetime.datetime.now(datetime.UTC)
    updated, expiration = (f"{moment:%Y-%m-%dT%H:%M:%SZ}" for moment in (now, now + LIFETIME))
    return {"Code": "Success", "LastUpdated": updated, "Type": "AWS-HMAC", **key, "Token": "", "Expiration": expiration}


def handler(directory: Path) -> type[BaseHTTPRequestHandler]:
    """The handler of requests, for the user data in a directory."""
    token = secrets.token_urlsafe()

    class Handler(BaseHTTPRequestHandler):
        def do_PUT(self) -> None:
            self._answer(200, token.encode()) if self.path == TOKEN_PATH else self._answer(404)

        def do_GET(self) -> None:
            if self.path.startswith("/latest/") and self.headers[TOKEN_HEADER] != token:
                return self._answer(401)
            role = directory / role_file(self.client_address[0])
            if self.path.startswith(ROLE_PATH) and role.exists():
                return self._answer_role(self.path.removeprefix(ROLE_PATH), **json.loads(role.read_text()))
            user_data = directory / self.client_address[0]
            if self.path not in (EC2_PATH, DROPLET_PATH) or not user_data.exists():
                return self._answer(404)
            return self._answer(200, user_data.read_bytes())

        def _answer_role(self, asked: str, role: str, key: dict[str, str]) -> None:
            if asked in ("", role):
                return self._answer(200, json.dumps(credentials(key)).encode() if asked else role.encode())
            return self._answer(404)

        def _answer(self, status: int, body: bytes = b"") -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    return Handler


def main() -> None:
    ThreadingHTTPServer((ADDRESS, 80), handler(Path(sys.argv[1]))).serve_forever()


if __name__ == "__main__":
    main()
