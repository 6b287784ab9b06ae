"""The cloud's metadata service: an HTTP server that gives each machine its own user data.

It answers as Amazon's ("Use instance metadata", with a token) and as DigitalOcean's (API reference, "Metadata"), at the
address that both have.

Usage: python -m rehearsal.region.metadata DIRECTORY. The directory has a file for each machine's address.
"""

from __future__ import annotations

import secrets
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

ADDRESS = "169.254.169.254"
TOKEN_PATH, TOKEN_HEADER = "/latest/api/token", "X-aws-ec2-metadata-token"
EC2_PATH, DROPLET_PATH = "/latest/user-data", "/metadata/v1/user-data"


def handler(directory: Path) -> type[BaseHTTPRequestHandler]:
    """The handler of requests, for the user data in a directory."""
    token = secrets.token_urlsafe()

    class Handler(BaseHTTPRequestHandler):
        def do_PUT(self) -> None:
            self._answer(200, token.encode()) if self.path == TOKEN_PATH else self._answer(404)

        def do_GET(self) -> None:
            if self.path == EC2_PATH and self.headers[TOKEN_HEADER] != token:
                return self._answer(401)
            user_data = directory / self.client_address[0]
            if self.path not in (EC2_PATH, DROPLET_PATH) or not user_data.exists():
                return self._answer(404)
            return self._answer(200, user_data.read_bytes())

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
