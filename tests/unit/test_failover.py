"""components/cloud/digitalocean/failover.sh against a stand-in for the part of DigitalOcean's API that it calls."""

from __future__ import annotations

import json
import subprocess
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "components" / "cloud" / "digitalocean" / "failover.sh"
ADDRESS = "203.0.113.80"
TOKEN = "dop_v1_0123456789abcdef"
OURS, OTHER = 41, 42


class Api(ThreadingHTTPServer):
    """Stand-in for DigitalOcean's API: one reserved IP."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.holder: int | None = OTHER
        self.pending = 0
        """Number of further attempts that get a 422, as if an earlier action were still running."""
        self.late = 0
        """Number of reads after an assignment that still show the old holder."""
        self.silent = False
        """Whether the API never answers."""
        self.token = TOKEN
        self.assigned: list[int] = []
        threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class Handler(BaseHTTPRequestHandler):
    server: Api

    def do_GET(self) -> None:
        if self._accepts(f"/v2/reserved_ips/{ADDRESS}"):
            if self.server.assigned:
                self.server.late -= 1
                if self.server.late < 0:
                    self.server.holder = self.server.assigned[-1]
            droplet = {"id": self.server.holder, "name": "lb"} if self.server.holder else None
            self._answer(200, {"reserved_ip": {"ip": ADDRESS, "droplet": droplet, "locked": False}})

    def do_POST(self) -> None:
        if self._accepts(f"/v2/reserved_ips/{ADDRESS}/actions"):
            action = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            assert action["type"] == "assign"
            if self.server.pending or self.server.assigned:
                self.server.pending = max(self.server.pending - 1, 0)
                self._answer(422, {"id": "unprocessable_entity", "message": "The IP has a pending event."})
                return
            self.server.assigned.append(action["droplet_id"])
            self._answer(201, {"action": {"id": 1, "status": "in-progress", "type": "assign_ip"}})

    def _accepts(self, path: str) -> bool:
        if self.server.silent:
            threading.Event().wait(10)
            return False
        if self.headers["Authorization"] != f"Bearer {self.server.token}":
            self._answer(401, {"id": "unauthorized", "message": "Unable to authenticate you"})
        elif self.path != path:
            self._answer(404, {"id": "not_found", "message": "The resource you requested could not be found."})
        else:
            return True
        return False

    def _answer(self, status: int, body: object) -> None:
        self.send_response(status)
        self.end_headers()
        self.wfile.write(json.dumps(body).encode())

    def log_message(self, *_: object) -> None:
        """Suppress the log on standard error."""


@pytest.fixture
def api() -> Iterator[Api]:
    api = Api()
    yield api
    api.shutdown()
    api.server_close()


def failover(api: Api, limit: int = 20) -> subprocess.CompletedProcess[str]:
    environment = {
        "ADDRESS": ADDRESS,
        "DROPLET": str(OURS),
        "API": api.url,
        "LIMIT": str(limit),
        "PATH": "/usr/bin:/bin",
    }
    return subprocess.run(
        ["bash", str(SCRIPT)], check=False, env=environment, input=f"TOKEN={TOKEN}\n", capture_output=True, text=True
    )


@pytest.mark.parametrize("before", [OTHER, None])
def test_the_address_moves_from_another_droplet_or_from_none(api: Api, before: int | None) -> None:
    api.holder = before
    done = failover(api)
    assert (done.returncode, done.stderr, done.stdout) == (0, "", "")
    assert api.holder == OURS
    assert api.assigned == [OURS]


def test_an_address_that_this_droplet_has_is_not_assigned_again(api: Api) -> None:
    api.holder = OURS
    assert failover(api).returncode == 0
    assert not api.assigned


def test_the_script_waits_until_the_address_is_assigned(api: Api) -> None:
    api.late = 2
    assert failover(api).returncode == 0
    assert api.holder == OURS
    assert api.assigned == [OURS]


def test_the_script_waits_for_an_action_that_is_running(api: Api) -> None:
    api.pending = 2
    assert failover(api).returncode == 0
    assert api.holder == OURS


def test_a_refused_token_is_reported_at_once(api: Api) -> None:
    api.token = "another"
    start = time.monotonic()
    done = failover(api)
    assert time.monotonic() - start < 5
    assert done.returncode == 1
    assert f"DigitalOcean refuses to assign {ADDRESS} to droplet {OURS}; check the token: 401" in done.stderr
    assert TOKEN not in done.stderr


def test_an_api_that_never_answers_is_given_up(api: Api) -> None:
    api.silent = True
    done = failover(api, limit=2)
    assert done.returncode == 1
    assert "to droplet 41 within 2 s; its last answer: 000" in done.stderr


def test_an_assignment_that_never_ends_is_given_up(api: Api) -> None:
    api.pending = 100
    done = failover(api, limit=3)
    assert done.returncode == 1
    assert "The IP has a pending event." in done.stderr
