"""A flood is judged by what the nodes noted, and its attackers are who they say. All figures here are made up."""

from __future__ import annotations

import ipaddress
import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from rehearsal.drills import access_logs
from rehearsal.drills.access_logs import CLOCKS, Visit
from rehearsal.drills.flood import ADDRESSES, EARLY, LATE, LEGITIMATE, attacker
from rehearsal.probes.agents.flood import INSISTENT, PLACES
from rehearsal.region.network import router_side
from rehearsal.region.outside_addresses import OutsideAddresses

BANNED = {"web1": {"a": 102.5}, "web2": {"a": 104.0}}


def visit(address: str, end: float, *, node: str = "web1", status: int = 200, seconds: float = 0.1) -> Visit:
    return Visit(node, address, end - seconds, end, status, status != 429)


def test_what_nginx_logs_is_read() -> None:
    log = "1700000000.250 0.250 198.51.100.7 200 127.0.0.1:9000\n1700000001.000 0.000 2001:db8::7 429 -\n"
    assert list(access_logs.parsed_visits("web1", log)) == [
        Visit("web1", "198.51.100.7", 1700000000.0, 1700000000.25, 200, True),
        Visit("web1", "2001:db8::7", 1700000001.0, 1700000001.0, 429, False),
    ]


def test_a_mapped_address_is_nobody_else() -> None:
    listed = "198.51.100.7 1700000000.1234567890\n::ffff:198.51.100.7 1700000000.1234567890\n2001:db8::7 1700000001.5\n"
    assert access_logs.parsed_bans(listed) == {
        "198.51.100.7": pytest.approx(1700000000.123),
        "2001:db8::7": 1700000001.5,
    }


def test_a_ban_is_timed_from_the_sites_last_needed_hit_to_the_last_node() -> None:
    hits = [visit("a", 100), visit("a", 101, node="web2"), visit("a", 102), visit("a", 103), visit("b", 90)]
    assert access_logs.ban_seconds(["a"], hits, BANNED, hits=3) == 2.0


def test_the_longest_ban_counts() -> None:
    banned = {node: {**refused, "b": 200.0} for node, refused in BANNED.items()}
    assert access_logs.ban_seconds(["a", "b"], [visit("a", 103), visit("b", 195)], banned, hits=1) == 5.0


def test_a_refused_request_is_no_hit() -> None:
    hits = [visit("a", 100), visit("a", 101, status=429), visit("a", 103)]
    assert access_logs.ban_seconds(["a"], hits, BANNED, hits=2) == 1.0


@pytest.mark.parametrize(
    ("hits", "banned"),
    [
        pytest.param([visit("a", 100)], BANNED, id="too few hits were seen"),
        pytest.param([visit("a", 100), visit("a", 101)], {**BANNED, "web2": {}}, id="a node does not refuse it"),
        pytest.param([visit("b", 100), visit("b", 101)], BANNED, id="it was somebody else"),
    ],
)
def test_a_ban_that_is_nowhere_or_not_everywhere_has_no_time(
    hits: list[Visit], banned: dict[str, dict[str, float]]
) -> None:
    assert access_logs.ban_seconds(["a"], hits, banned, hits=2) is None


def test_nobody_attacked() -> None:
    assert access_logs.ban_seconds([], [], BANNED, hits=2) is None


def test_what_reaches_php_after_the_nodes_own_ban_is_found() -> None:
    after = visit("a", 103.0, seconds=0.4)
    begun_before = visit("a", 103.0, seconds=0.6)
    within_clocks = visit("a", 102.5 + CLOCKS, seconds=CLOCKS / 2)
    elsewhere = visit("a", 103.5, node="web2")
    refused = visit("a", 105, status=429)
    client = visit("b", 105)
    found = [after, begun_before, within_clocks, elsewhere, refused, client]
    assert access_logs.php_after_ban(found, BANNED) == [after]


def test_everybody_has_an_address_of_the_strangers_network() -> None:
    stranger = ipaddress.IPv4Interface(OutsideAddresses.stranger)
    assert sorted({*EARLY, LATE, *LEGITIMATE}) == sorted(ADDRESSES)
    assert len({*ADDRESSES, str(stranger.ip), router_side(stranger)}) == 50 + 1 + 20 + 2
    assert all(ipaddress.IPv4Address(address) in stranger.network for address in ADDRESSES)


@dataclass
class Refusing:
    """A server that refuses an address after `patience` requests; `seen`: address, path, X-Forwarded-For of each."""

    url: str = ""
    patience: int = 2 * len(PLACES)
    seen: list[tuple[str, str, str | None]] = field(default_factory=list)

    def answer(self, *request: *tuple[str, str, str | None]) -> int:
        self.seen.append(request)
        return 404 if len(self.of(request[0])) <= self.patience else 429

    def of(self, address: str) -> list[tuple[str, str, str | None]]:
        return [request for request in self.seen if request[0] == address]


@pytest.fixture
def server() -> Iterator[Refusing]:
    made = Refusing()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            self.send_response(made.answer(self.client_address[0], self.path, self.headers["X-Forwarded-For"]))
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None: ...

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as listening:
        threading.Thread(target=listening.serve_forever).start()
        made.url = f"http://127.0.0.1:{listening.server_address[1]}"
        yield made
        listening.shutdown()


def test_attackers_come_from_their_own_addresses_write_what_they_like_and_insist_when_refused(server: Refusing) -> None:
    forged = "192.0.2.1"
    attackers = [
        replace(attacker(name, number, server.url, address, headers, period=0.01), delay=0)
        for number, (name, address, headers) in enumerate(
            [("first", "127.0.0.2", {}), ("second", "127.0.0.3", {"X-Forwarded-For": forged})]
        )
    ]
    with subprocess.Popen(
        [sys.executable, "-m", "rehearsal.probes.agents.flood"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdin
        assert process.stdout
        process.stdin.write(json.dumps([asdict(attacker) for attacker in attackers]) + "\n")
        process.stdin.flush()
        output = [json.loads(process.stdout.readline()) for _ in range(4 * server.patience)]
        process.stdin.close()
        output += [json.loads(line) for line in process.stdout]
    assert process.returncode == 0

    for name, address, page, header in (
        ("first", "127.0.0.2", "/xmlrpc.php", None),
        ("second", "127.0.0.3", "/wp-login.php", forged),
    ):
        asked = server.of(address)
        assert {request[1:] for request in asked[: server.patience]} == {(place + page, header) for place in PLACES}
        insisting = asked[server.patience + INSISTENT :]
        assert len(insisting) > len(PLACES)
        assert {request[1:] for request in insisting} == {(page, header)}
        answers = [status for attacker, _, status in output if attacker == name]
        assert answers == [404] * server.patience + [429] * (len(asked) - server.patience)
