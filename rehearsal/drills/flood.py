"""The drill of a flood: many addresses guess passwords of a WordPress site, which goes on serving everybody else."""

from __future__ import annotations

import ipaddress
import itertools
import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from typing import NamedTuple
from urllib.parse import urlencode, urlsplit

from rehearsal import progress
from rehearsal.drills import access_logs
from rehearsal.drills.access_logs import Bans
from rehearsal.drills.fault_window import RETURN_LIMIT, until
from rehearsal.drills.load_test import Load, load
from rehearsal.drills.site import AWAY, Site
from rehearsal.probes.agents.flood import KINDS, PLACES, REFUSED, Attacker
from rehearsal.probes.base import PageProbe, worst
from rehearsal.region.outside_addresses import OutsideAddresses
from rehearsal.report.model import Check, FaultResult, Mark, Seconds
from rehearsal.system.shell import run

ATTACKERS, LEGITIMATE_CLIENTS = 50, 20
EARLY_PERIOD, LATE_PERIOD, LEGITIMATE_PERIOD = 1.8, 0.1, 1.0
"""Seconds between the requests of one address, and of the last attacker, who is alone."""
RAMP = 40.0
"""Seconds in which the attackers begin, one after another."""
LOGIN_EVERY = 90
"""An legitimate client's requests from one login to the next: at most two in 120 s, where 20 would be an attack.

Two processors have to bear all machines and the flood, and a page that no cache has is 0.3 s of their time where every
file is asked of three bricks: one of them a second is the attackers', and less than half a one the legitimate clients'.
"""

BAN_LIMIT = 5.0
"""Seconds from the hit that is one too many until every node refuses the address; the same for the end of a ban."""
SLOW = 2.0
"""Seconds that an legitimate client's request may take."""
FLOOD_LIMIT = 120.0
"""Seconds until all are banned."""
CACHED_TIMES = 50
"""Cached pages for each that is not, in the same time."""
CACHED_P99_MS = 5.0
LOAD_SECONDS = 2

LOGIN = """
jar=$(mktemp)
trap 'rm "$jar"' EXIT
ask() {
    curl --silent --max-time 30 --output /dev/null --cookie "$jar" --cookie-jar "$jar" --header "Host: $host" "$@"
}
host=$1
ask --data @- http://127.0.0.1/wp-login.php
ask http://127.0.0.1/
"""

FIRST = int(ipaddress.ip_interface(OutsideAddresses.stranger).ip) + 1
ADDRESSES = [str(ipaddress.ip_address(FIRST + number)) for number in range(ATTACKERS + 1 + LEGITIMATE_CLIENTS)]
"""Beside the stranger's: nobody's who is trusted."""
EARLY, LATE, LEGITIMATE = ADDRESSES[:ATTACKERS], ADDRESSES[ATTACKERS], ADDRESSES[ATTACKERS + 1 :]
THIRD_PARTY = "192.0.2.1"

LOGGED_IN = "wordpress_logged_in_rehearsal=nobody"
"""A cookie by whose name Varnish passes every request on; WordPress does not believe it."""


class FloodResult(FaultResult):
    """What a flood did to others, and what was done about it."""

    ban_seconds: Seconds | None
    """The longest time from an address's last hit that was needed to its ban on the last node."""
    legitimate_failures: int
    """Requests of legitimate clients that failed."""
    slow_legitimate_requests: int
    """Those that took longer than `SLOW`."""
    php_hits_after_ban: int
    """Requests that reached PHP on a node which had banned their address."""
    wrong_bans: int
    """Addresses that are banned and attacked nobody."""
    cached_pages_per_second: int
    uncached_pages_per_second: float
    cached_p99_ms: float
    """What 99 of 100 cached pages take at most, asked for one after the other, from the node under attack."""


class LegitimateClient(PageProbe):
    """Reads the site's first page, logs in now and then, and looks at the page as who it is."""

    def __init__(self, number: int, source: str, site: Site, page: str) -> None:
        self._login = f"{site.url}/wp-login.php"
        self._form = {"log": site.outputs["admin_user"], "pwd": site.outputs["admin_password"]}
        # each at another time
        self._turns = itertools.count(2 + number * LOGIN_EVERY // LEGITIMATE_CLIENTS)
        super().__init__(f"visitor {number}", site.url, page, period=LEGITIMATE_PERIOD, source=source)

    def load(self) -> str | None:
        turn = next(self._turns) % LOGIN_EVERY
        if turn == 0:
            return self._log_in()
        if turn == 1:
            return self._read_as_user()
        return super().load()

    def _log_in(self) -> str | None:
        answer = self._browser.post(self._login, data=self._form, follow_redirects=False)
        known = any(name.startswith("wordpress_logged_in_") for name in self._browser.cookies)
        return None if known else f"no login: status {answer.status_code}"

    def _read_as_user(self) -> str | None:
        answer = self._browser.get(self._url)
        self._browser.cookies.clear()
        return None if 'id="wpadminbar"' in answer.text else f"nobody is logged in: status {answer.status_code}"


class Request(NamedTuple):
    """What an attacker asked for; `start` in seconds since the epoch, `status` 0 where no answer came."""

    address: str
    start: float
    status: int


class Attack:
    """Attackers at work until `stop`; `place`: the words that run a command where they are."""

    def __init__(self, place: Sequence[str], attackers: Sequence[Attacker]) -> None:
        self.requests: list[Request] = []
        self._process = subprocess.Popen(
            [*place, sys.executable, "-m", "rehearsal.probes.agents.flood"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert self._process.stdin
        self._process.stdin.write(json.dumps([asdict(attacker) for attacker in attackers]) + "\n")
        self._process.stdin.flush()
        self._thread = threading.Thread(target=self._collect, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        assert self._process.stdin
        self._process.stdin.close()
        self._process.wait(timeout=30)
        self._thread.join()

    def _collect(self) -> None:
        for line in self._process.stdout or ():
            self.requests.append(Request(*json.loads(line)))


class Flood:
    """The fault, its figures and its promises; `page`: a text that is in the site's first page."""

    def __init__(self, site: Site, page: str) -> None:
        self._site, self._control, self._page = site, site.control, page
        self._hits = site.settings.bans.hits
        # of the counters, one that is not flooded
        self._target, self._other = site.roles.web[0], [*site.roles.balancers, *site.roles.web[1:]][0]
        self._url = urlsplit(site.url)
        self._marks: list[tuple[float, str]] = []
        self.checks: list[Check] = []

    def run(self) -> FloodResult:
        """While the flood goes on, Fail2Ban is killed on one node, and the node that is flooded reboots.

        Legitimate clients are counted until that reboot: what the loss of a node costs them is another fault's figure.
        """
        with progress.step("Fault: flood") as self._shown, outside_addresses(), ExitStack() as ends:
            ends.enter_context(access_logs.logged(self._site))
            self._log_in_everywhere()
            clients = [
                LegitimateClient(number, source, self._site, self._page) for number, source in enumerate(LEGITIMATE, 1)
            ]
            for client in clients:
                ends.callback(client.stop)
            self._wait("everyone is served", lambda: all(i.attempts and not i.attempts[-1].error for i in clients))

            since = self._mark(f"{len(EARLY)} addresses attack")
            direct = Attack(self._control.netns_prefix("balancer"), self._sent_on(EARLY[::2]))
            attacks = [direct, Attack([], self._outside(EARLY[1::2]))]
            for attack in attacks:
                ends.callback(attack.stop)
            # asked now and then: legitimate clients share the nodes' processors
            all_banned = self._wait("all are banned on every node", lambda: self._banned(EARLY), FLOOD_LIMIT, every=1)
            self._mark("all are banned on every node" if all_banned else "not all are banned on every node")

            attacks.append(Attack([], self._outside([LATE], LATE_PERIOD)))
            ends.callback(attacks[-1].stop)
            self._kill_fail2ban()
            self._wait("the last one is banned", lambda: self._banned([LATE]), FLOOD_LIMIT)
            ended = time.time()
            for client in clients:
                client.stop()
            cached, one_by_one = self._load(clients=4), self._load(clients=1)
            uncached = self._load(clients=2, cookie=LOGGED_IN)

            # asked before the reboot: afterwards nobody knows since when
            banned = access_logs.bans(self._site)
            self._reboot(direct, banned[self._target])
            for attack in attacks:
                attack.stop()

            found = access_logs.visits(self._site)
            named = {*itertools.chain(*banned.values(), *access_logs.bans(self._site).values())}
            self._unban(EARLY[0])
        tried = [a for client in clients for a in client.attempts if since <= a.start <= ended]
        fault = FloodResult(
            name="flood",
            page_outage_seconds=worst(clients, "page", since, ended),
            ban_seconds=access_logs.ban_seconds([*EARLY, LATE], found, banned, self._hits),
            legitimate_failures=sum(attempt.error is not None for attempt in tried),
            slow_legitimate_requests=sum(attempt.error is None and attempt.seconds > SLOW for attempt in tried),
            php_hits_after_ban=len(access_logs.php_after_ban(found, banned)),
            wrong_bans=len(named - {*EARLY, LATE}),
            cached_pages_per_second=round(cached.per_second),
            uncached_pages_per_second=round(uncached.per_second, 1),
            cached_p99_ms=round(one_by_one.p99_seconds * 1000, 1),
            marks=[Mark(at=at - since, text=text) for at, text in self._marks],
            timeline=[client.lane(since) for client in clients],
        )
        self._judge(fault, len(tried), refused=sum(r.status == REFUSED for attack in attacks for r in attack.requests))
        return fault

    def _log_in_everywhere(self) -> None:
        """Have every node's PHP compile what a login runs, as it has long ago where people do log in."""
        form = urlencode({"log": self._site.outputs["admin_user"], "pwd": self._site.outputs["admin_password"]})
        self._shown.detail("every node meets a login")

        def log_in(node: str) -> None:
            self._site.on(node, "bash", "-euc", LOGIN, "bash", self._url.netloc, stdin=form)

        with ThreadPoolExecutor() as pool:
            list(pool.map(log_in, self._site.roles.web))

    def _load(self, clients: int, cookie: str = "") -> Load:
        """Load the first page from the node under attack, as the balancer would."""
        self._shown.detail("pages are loaded as fast as they come")
        return load(
            [*self._control.netns_prefix("balancer"), *self._control.chroot_prefix()],
            f"http://{self._control.address(self._target)}/",
            {"Host": self._url.netloc, "X-Forwarded-Proto": self._url.scheme} | ({"Cookie": cookie} if cookie else {}),
            clients=clients,
            seconds=LOAD_SECONDS,
        )

    def _outside(self, addresses: Sequence[str], period: float = EARLY_PERIOD) -> list[Attacker]:
        """Visitors of the balancer, most of whom write an legitimate client's address or another that is not theirs."""
        return [
            attacker(address, number, self._site.url, address, headers, period)
            for number, (address, headers) in enumerate(zip(addresses, self._forged(), strict=False))
        ]

    def _sent_on(self, addresses: Sequence[str]) -> list[Attacker]:
        """The same as they look when a balancer has sent them on, all to one node."""
        url = f"http://{self._control.address(self._target)}"
        made = []
        for number, (address, headers) in enumerate(zip(addresses, self._forged(), strict=False)):
            output = ", ".join(filter(None, [headers.get("X-Forwarded-For"), address]))
            headers |= {"X-Forwarded-For": output, "X-Forwarded-Proto": self._url.scheme}
            made.append(attacker(address, number, url, None, headers, EARLY_PERIOD))
        return made

    def _forged(self) -> Iterator[dict[str, str]]:
        """Without end, what a visitor may write to be taken for somebody else."""
        node = self._control.address(self._target)
        for client in itertools.cycle(LEGITIMATE):
            yield {}
            yield {"X-Forwarded-For": client}
            yield {"X-Forwarded-For": f"{THIRD_PARTY}, {node}"}
            yield {"X-Forwarded-For": f"{client}, 127.0.0.1"}
            yield {"X-Real-IP": client, "Client-IP": client, "Forwarded": f"for={client}"}

    def _banned(self, addresses: Sequence[str]) -> bool:
        return all({*addresses} <= refused.keys() for refused in access_logs.bans(self._site).values())

    def _kill_fail2ban(self) -> None:
        """It has to come back by itself, and count what came meanwhile."""
        node, begun = self._other, self._mark(f"Fail2Ban is killed on {self._other}")
        killed = self._main_pid()
        self._site.on(node, "systemctl", "kill", "--signal=KILL", "fail2ban")
        back = self._wait(
            f"Fail2Ban is back on {node}", lambda: self._main_pid() not in (killed, "0") and self._counts()
        )
        moment = self._mark(
            f"Fail2Ban is back on {node} and has counted" if back else f"Fail2Ban is not back on {node}"
        )
        self._check(
            "Fail2Ban, killed, comes back by itself and counts",
            back,
            f"after {moment - begun:.1f} s" if back else "it does not",
            "it does",
        )

    def _main_pid(self) -> str:
        return self._site.on(self._other, "systemctl", "show", "--property=MainPID", "--value", "fail2ban").strip()

    def _counts(self) -> bool:
        """Whether Fail2Ban itself, and not only what it was told of, knows the last attacker."""
        try:
            return LATE in self._site.on(self._other, "fail2ban-client", "get", "wordpress", "banip").split()
        except AWAY:
            return False

    def _reboot(self, attack: Attack, banned: Bans) -> None:
        """The node under attack restarts, and refuses whom it had refused, from its first answer."""
        node = self._target
        self._mark(f"{node} reboots")
        self._control.reboot(node)
        self._wait(f"{node} is down", lambda: not self._site.healthy(node))
        serves = self._wait(f"{node} serves again", lambda: self._site.healthy(node))
        missing = banned.keys() - access_logs.bans_at(self._site, node).keys()
        back = self._mark(f"{node} serves again" if serves else f"{node} does not serve")
        self._wait("it is attacked again", lambda: any(r.start > back and r.status for r in [*attack.requests]))
        answers = {request.status for request in attack.requests if request.start > back and request.status}
        self._check(
            "a node that restarts comes back with the bans",
            not missing and answers == {REFUSED},
            f"{len(banned) - len(missing)} of {len(banned)}, attackers get {', '.join(map(str, answers)) or 'nothing'}",
            f"all, {REFUSED}",
        )

    def _unban(self, address: str) -> None:
        """Said on one node, an unban holds on all, and its address is served."""
        begun = self._mark(f"an unban on {self._other}")
        self._site.on(self._other, "unban", address)
        free = self._wait(
            "no node refuses it",
            lambda: not any(address in refused for refused in access_logs.bans(self._site).values()),
        )
        seconds = time.time() - begun
        visitor = PageProbe("unbanned", self._site.url, self._page, source=address)
        self._wait("it is answered", lambda: bool(visitor.attempts), BAN_LIMIT)
        visitor.stop()
        errors = [attempt.error for attempt in visitor.attempts if attempt.error]
        served = bool(visitor.attempts) and not errors
        self._check(
            "an unban holds on every node",
            free and served and seconds <= BAN_LIMIT,
            f"after {seconds:.1f} s" + (f", then {errors[0]}" if errors else ""),
            f"within {BAN_LIMIT:.0f} s",
        )

    def _judge(self, fault: FloodResult, tried: int, refused: int) -> None:
        seconds = fault.ban_seconds
        self._check(
            f"banned on every node after {self._hits} hits",
            seconds is not None and seconds <= BAN_LIMIT,
            "not all of them" if seconds is None else f"{seconds:.1f} s",
            f"within {BAN_LIMIT:.0f} s",
        )
        self._check(
            "legitimate clients are served",
            bool(tried) and not fault.legitimate_failures,
            f"{fault.legitimate_failures} of {tried:,} not",
            "all",
        )
        self._check(
            f"legitimate clients wait no longer than {SLOW:.0f} s",
            bool(tried) and not fault.slow_legitimate_requests,
            f"{fault.slow_legitimate_requests} of {tried:,} do",
            "none",
        )
        self._check(
            "no request of a banned address reaches PHP",
            bool(refused) and not fault.php_hits_after_ban,
            f"{fault.php_hits_after_ban} did, {refused:,} were refused",
            "0",
        )
        self._check("nobody else is banned", not fault.wrong_bans, str(fault.wrong_bans), "0")
        self._check(
            "cached pages per second, and others",
            fault.cached_pages_per_second >= CACHED_TIMES * fault.uncached_pages_per_second,
            f"{fault.cached_pages_per_second:,} and {fault.uncached_pages_per_second}",
            f"{CACHED_TIMES} times",
        )
        self._check(
            "99 of 100 cached pages", fault.cached_p99_ms < CACHED_P99_MS, f"{fault.cached_p99_ms} ms",
            f"under {CACHED_P99_MS:.0f} ms",
        )  # fmt: skip

    def _check(self, name: str, held: bool, measured: str, limit: str) -> None:
        self.checks.append(Check(name=f"flood: {name}", held=held, measured=measured, limit=limit))

    def _mark(self, text: str) -> float:
        self._marks.append((time.time(), text))
        return self._marks[-1][0]

    def _wait(self, what: str, happened: Callable[[], bool], limit: float = RETURN_LIMIT, every: float = 0.2) -> bool:
        """Whether it happens within `limit` seconds; what does not shows in the figures."""
        self._shown.detail(f"until {what}")
        return until(happened, limit, every)


def attacker(
    address: str, number: int, url: str, source: str | None, headers: dict[str, str], period: float
) -> Attacker:
    """One of several: they begin one after another, each somewhere else."""
    return Attacker(
        name=address,
        kind=KINDS[number % len(KINDS)],
        first=number * 3 % len(PLACES),
        url=url,
        source=source,
        headers=headers,
        delay=number * RAMP / ATTACKERS,
        period=period,
    )


@contextmanager
def outside_addresses() -> Iterator[None]:
    """Give the operator's side the addresses of all attackers and legitimate clients meanwhile."""

    def change(word: str) -> None:
        run("ip", "-batch", "-", stdin="\n".join(f"addr {word} {address}/32 dev outside" for address in ADDRESSES))

    change("add")
    try:
        yield
    finally:
        change("del")
