"""Logs and bans of a flood are evaluated, its figures are checked, its attackers use their own addresses.

All figures here are made up.
"""

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
from rehearsal.drills.access_logs import CLOCK_TOLERANCE, Visit
from rehearsal.drills.flood import checks
from rehearsal.drills.flood.addresses import ADDRESSES, ATTACKERS, LATE_ATTACKER, LEGITIMATE
from rehearsal.drills.flood.attackers import attacker, forwarded_attackers, outside_attackers
from rehearsal.drills.flood.checks import FloodResult
from rehearsal.probes.agents.flood import BASE_PATHS, PERSISTENT_AFTER
from rehearsal.region.network import router_side
from rehearsal.region.outside_addresses import OutsideAddresses

BANNED = {"web1": {"a": 102.5}, "web2": {"a": 104.0}}


def visit(address: str, end: float, *, node: str = "web1", status: int = 200, seconds: float = 0.1) -> Visit:
    return Visit(node, address, end - seconds, end, status, status != 429)


def test_nginx_log_lines_are_parsed() -> None:
    log = "1700000000.250 0.250 198.51.100.7 200 127.0.0.1:9000\n1700000001.000 0.000 2001:db8::7 429 -\n"
    assert list(access_logs.parsed_visits("web1", log)) == [
        Visit("web1", "198.51.100.7", 1700000000.0, 1700000000.25, 200, True),
        Visit("web1", "2001:db8::7", 1700000001.0, 1700000001.0, 429, False),
    ]


def test_ipv4_mapped_addresses_are_left_out() -> None:
    listing = (
        "198.51.100.7 1700000000.1234567890\n::ffff:198.51.100.7 1700000000.1234567890\n2001:db8::7 1700000001.5\n"
    )
    assert access_logs.parsed_bans(listing) == {
        "198.51.100.7": pytest.approx(1700000000.123),
        "2001:db8::7": 1700000001.5,
    }


def test_a_ban_is_timed_from_the_hit_at_the_threshold_to_the_last_node() -> None:
    hits = [visit("a", 100), visit("a", 101, node="web2"), visit("a", 102), visit("a", 103), visit("b", 90)]
    assert access_logs.slowest_ban(["a"], hits, BANNED, hits=3) == 2.0


def test_the_slowest_ban_counts() -> None:
    banned = {node: {**refused, "b": 200.0} for node, refused in BANNED.items()}
    assert access_logs.slowest_ban(["a", "b"], [visit("a", 103), visit("b", 195)], banned, hits=1) == 5.0


def test_a_refused_request_does_not_count_as_a_hit() -> None:
    hits = [visit("a", 100), visit("a", 101, status=429), visit("a", 103)]
    assert access_logs.slowest_ban(["a"], hits, BANNED, hits=2) == 1.0


@pytest.mark.parametrize(
    ("hits", "banned"),
    [
        pytest.param([visit("a", 100)], BANNED, id="fewer hits than the threshold"),
        pytest.param([visit("a", 100), visit("a", 101)], {**BANNED, "web2": {}}, id="a node does not refuse it"),
        pytest.param([visit("b", 100), visit("b", 101)], BANNED, id="hits of another address"),
    ],
)
def test_a_ban_that_is_not_on_every_node_has_no_time(hits: list[Visit], banned: dict[str, dict[str, float]]) -> None:
    assert access_logs.slowest_ban(["a"], hits, banned, hits=2) is None


def test_without_attackers_no_ban_is_timed() -> None:
    assert access_logs.slowest_ban([], [], BANNED, hits=2) is None


def test_requests_that_reach_php_after_the_nodes_own_ban_are_found() -> None:
    after = visit("a", 103.0, seconds=0.4)
    begun_before = visit("a", 103.0, seconds=0.6)
    within_clocks = visit("a", 102.5 + CLOCK_TOLERANCE, seconds=CLOCK_TOLERANCE / 2)
    elsewhere = visit("a", 103.5, node="web2")
    refused = visit("a", 105, status=429)
    client = visit("b", 105)
    found = [after, begun_before, within_clocks, elsewhere, refused, client]
    assert access_logs.php_after_ban(found, BANNED) == [after]


def test_every_client_has_its_own_address_in_the_strangers_network() -> None:
    stranger = ipaddress.IPv4Interface(OutsideAddresses.stranger)
    assert sorted({*ATTACKERS, LATE_ATTACKER, *LEGITIMATE}) == sorted(ADDRESSES)
    assert len({*ADDRESSES, str(stranger.ip), router_side(stranger)}) == 50 + 1 + 20 + 2
    assert all(ipaddress.IPv4Address(address) in stranger.network for address in ADDRESSES)


@dataclass
class RefusingServer:
    """A server that refuses an address after `allowed` requests; `seen`: address, path, X-Forwarded-For of each."""

    url: str = ""
    allowed: int = 2 * len(BASE_PATHS)
    seen: list[tuple[str, str, str | None]] = field(default_factory=list)

    def answer(self, *request: *tuple[str, str, str | None]) -> int:
        self.seen.append(request)
        return 404 if len(self.of(request[0])) <= self.allowed else 429

    def of(self, address: str) -> list[tuple[str, str, str | None]]:
        return [request for request in self.seen if request[0] == address]


@pytest.fixture
def server() -> Iterator[RefusingServer]:
    refusing = RefusingServer()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            self.send_response(refusing.answer(self.client_address[0], self.path, self.headers["X-Forwarded-For"]))
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None: ...

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as listening:
        threading.Thread(target=listening.serve_forever).start()
        refusing.url = f"http://127.0.0.1:{listening.server_address[1]}"
        yield refusing
        listening.shutdown()


def test_attackers_use_their_own_addresses_and_forged_headers_and_go_on_when_refused(server: RefusingServer) -> None:
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
        output = [json.loads(process.stdout.readline()) for _ in range(4 * server.allowed)]
        process.stdin.close()
        output += [json.loads(line) for line in process.stdout]
    assert process.returncode == 0

    for name, address, page, header in (
        ("first", "127.0.0.2", "/xmlrpc.php", None),
        ("second", "127.0.0.3", "/wp-login.php", forged),
    ):
        asked = server.of(address)
        assert {request[1:] for request in asked[: server.allowed]} == {(path + page, header) for path in BASE_PATHS}
        persistent = asked[server.allowed + PERSISTENT_AFTER :]
        assert len(persistent) > len(BASE_PATHS)
        assert {request[1:] for request in persistent} == {(page, header)}
        answers = [status for attacker, _, status in output if attacker == name]
        assert answers == [404] * server.allowed + [429] * (len(asked) - server.allowed)


def test_all_attackers_are_at_work_after_the_sum_of_the_start_intervals() -> None:
    url, node = "https://site.example", "10.0.0.1"
    outside, forwarded = outside_attackers(ATTACKERS[1::2], url, node), forwarded_attackers(ATTACKERS[::2], url, node)
    assert {attacker.name for attacker in (*outside, *forwarded)} == {*ATTACKERS}
    assert max(attacker.delay for attacker in (*outside, *forwarded)) == pytest.approx(19.2)


def test_a_forwarded_attackers_own_address_ends_the_chain_of_proxies() -> None:
    attackers = forwarded_attackers(ATTACKERS[:5], "https://site.example", "10.0.0.1")
    chains = [attacker.headers["X-Forwarded-For"].split(", ") for attacker in attackers]
    assert [chain[-1] for chain in chains] == ATTACKERS[:5]
    assert chains[1] == [LEGITIMATE[0], ATTACKERS[1]]
    assert all(attacker.source is None and attacker.url == "http://10.0.0.1" for attacker in attackers)


GOOD = FloodResult(
    name="flood",
    ban_seconds=3.2,
    legitimate_failures=0,
    slow_legitimate_requests=0,
    php_hits_after_ban=0,
    wrong_bans=0,
    cached_pages_per_second=2917,
    uncached_pages_per_second=3.4,
    cached_p99_ms=2.6,
)


def figures(result: FloodResult, legitimate: int = 1138, refused: int = 9999) -> dict[str, tuple[bool, str]]:
    found = checks.figures(result, hits=20, legitimate=legitimate, refused=refused)
    assert {check.fault for check in found} == {"flood"}
    return {check.name: (check.passed, check.measured) for check in found}


def test_a_good_flood_holds_every_check() -> None:
    assert figures(GOOD) == {
        "ban on every node after 20 hits": (True, "3.2 s"),
        "legitimate requests failed": (True, "0 of 1,138"),
        "legitimate requests slower than 2 s": (True, "0 of 1,138"),
        "banned requests that reached PHP": (True, "0 (9,999 refused)"),
        "legitimate addresses banned": (True, "0"),
        "cached to uncached pages per second": (True, "858x"),
        "99th percentile of cached pages": (True, "2.6 ms"),
    }


@pytest.mark.parametrize(
    ("figure", "value", "check", "measured"),
    [
        ("ban_seconds", 5.1, "ban on every node after 20 hits", "5.1 s"),
        ("ban_seconds", None, "ban on every node after 20 hits", "not every attacker banned"),
        ("legitimate_failures", 1, "legitimate requests failed", "1 of 1,138"),
        ("slow_legitimate_requests", 3, "legitimate requests slower than 2 s", "3 of 1,138"),
        ("php_hits_after_ban", 2, "banned requests that reached PHP", "2 (9,999 refused)"),
        ("wrong_bans", 1, "legitimate addresses banned", "1"),
        ("uncached_pages_per_second", 100.0, "cached to uncached pages per second", "29x"),
        ("uncached_pages_per_second", 0.0, "cached to uncached pages per second", "not measured"),
        ("cached_p99_ms", 5.0, "99th percentile of cached pages", "5.0 ms"),
        ("cached_p99_ms", None, "99th percentile of cached pages", "not measured"),
    ],
)
def test_each_figure_over_its_limit_breaks_its_own_check(
    figure: str, value: float | None, check: str, measured: str
) -> None:
    found = figures(GOOD.model_copy(update={figure: value}))
    assert {name: measured for name, (passed, measured) in found.items() if not passed} == {check: measured}


def test_a_flood_without_clients_or_refusals_holds_no_check_of_them() -> None:
    broken = [name for name, (passed, _) in figures(GOOD, legitimate=0, refused=0).items() if not passed]
    assert broken == [
        "legitimate requests failed", "legitimate requests slower than 2 s", "banned requests that reached PHP",
    ]  # fmt: skip


def test_a_check_of_bans_after_a_reboot_wants_all_of_them_and_refusals_only() -> None:
    kept = checks.bans_after_reboot(["a", "b"], ["a", "b", "c"], [429])
    lost = checks.bans_after_reboot(["a", "b"], ["a"], [429])
    served = checks.bans_after_reboot(["a"], ["a"], [429, 200])
    silent = checks.bans_after_reboot(["a"], ["a"], [])
    assert [check.passed for check in (kept, lost, served, silent)] == [True, False, False, False]
    assert [check.measured for check in (lost, served, silent)] == [
        "1 of 2, attackers get 429", "1 of 1, attackers get 200, 429", "1 of 1, attackers get no answer",
    ]  # fmt: skip


def test_a_check_of_an_unban_wants_it_in_time_and_the_address_served() -> None:
    in_time, late, unserved = checks.unban(0.4, None), checks.unban(5.1, None), checks.unban(0.4, "status 429")
    assert [(check.passed, check.measured) for check in (in_time, late, unserved)] == [
        (True, "0.4 s"), (False, "5.1 s"), (False, "0.4 s, then status 429"),
    ]  # fmt: skip


def test_a_check_of_the_restart_of_fail2ban_breaks_when_it_stays_down() -> None:
    back, down = checks.fail2ban_restart(3.2), checks.fail2ban_restart(None)
    assert [(check.passed, check.measured) for check in (back, down)] == [(True, "yes, after 3.2 s"), (False, "no")]
