"""A flood that the page cache cannot absorb: every request of one address goes on to WordPress."""

from __future__ import annotations

import itertools
import secrets
import statistics
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import httpx

from rehearsal.drills import access_logs
from rehearsal.drills.attacks.base import Attack
from rehearsal.drills.outside_addresses import FLOODER, READER, browser, outside_addresses
from rehearsal.probes.agents.flood import REFUSED
from rehearsal.probes.visitors import Visitor
from rehearsal.report.model import FaultResult, Seconds

CLIENTS = 40
"""Number of the flood's parallel clients."""
COOKIE = "wordpress_x=1"
"""Varnish passes every request with a cookie of such a name to WordPress."""
PERIOD = 0.5
"""Seconds between the requests of one client, once it is answered. The clients run beside the site on this host, and
faster ones would take the processors' time themselves as soon as the site refuses them."""
PATIENCE = 10.0
"""Seconds until a client gives up, of the flood and of the login pages."""
PAGES = 10
"""Login pages in each of the two measurements."""
PAGE_INTERVAL = 1.0
"""Seconds between the starts of two login pages."""
SLOWDOWN = 2.0
"""How many times as long as before a login page may take during the flood."""
BAN_LIMIT = 30.0
"""Seconds for which the flood goes on when the login pages are measured, until the address must be banned."""


class PastCacheResult(FaultResult):
    """Figures of a flood past the cache; times are medians of `PAGES` login pages of another address."""

    login_page_before_seconds: Seconds
    login_page_during_seconds: Seconds
    login_page_slowest_seconds: Seconds
    """The slowest of those during the flood: its first requests pass, as any visitor's do."""
    flood_answers: int
    """Answers to the flood, whatever their status."""
    flood_answers_429: int


class Flooder(Visitor):
    """One of the flood's clients. `answers`: their number by status, 0 for none."""

    def __init__(self, number: int, url: str) -> None:
        self._url = url
        self._turns = itertools.count(number)
        self.answers: Counter[int] = Counter()
        super().__init__(f"flooder {number}", PERIOD, FLOODER)

    def load(self) -> str | None:
        turn = next(self._turns) % 4
        method = "POST" if turn == 0 else "GET"
        path = ("/", f"/?s={secrets.token_hex(4)}", "/wp-login.php", "/healthz")[turn]
        try:
            answer = self._browser.request(
                method, self._url + path, headers={"Cookie": COOKIE}, timeout=PATIENCE, follow_redirects=False
            )
        except httpx.HTTPError:
            self.answers[0] += 1
            raise
        self.answers[answer.status_code] += 1
        return None


class FloodPastCache(Attack):
    """Forty parallel clients of one address ask for pages that no cache holds; all others must be served as before."""

    name = "flood past the cache"

    def cause(self) -> FaultResult:
        with outside_addresses(FLOODER, READER), ExitStack() as stack:
            before, failed_before = self._login_pages("before the flood")
            departures = self.control.departures()
            self.since = self.mark(f"{CLIENTS} clients of one address flood the site")
            flood = [Flooder(number, self.site.url) for number in range(CLIENTS)]
            stack.callback(stop_all, flood)
            self.wait("the flood is answered", lambda: sum(map(total, flood)) >= CLIENTS, PATIENCE)
            during, failed_during = self._login_pages("during the flood")
            self.mark("the login pages are measured")
            banned = self.wait("the address is banned on every node", self._banned, BAN_LIMIT, every=1)
            self.mark("the address is banned" if banned else "the address is not banned")
        answers = sum((flooder.answers for flooder in flood), Counter[int]())
        left = self.control.departures() - departures
        self._unban()
        failed = [*failed_before, *failed_during]
        self.check_none("another address's login pages failed", failed, "0")
        self.check(
            "login page during the flood to before it",
            statistics.median(during) <= SLOWDOWN * statistics.median(before),
            f"{statistics.median(during) / statistics.median(before):.1f}x",
            f"<= {SLOWDOWN:.0f}x",
        )
        self.check("nodes that left the load balancer", left == 0, str(left), "0")
        counted = ", ".join(f"{count:,} x {status or 'no answer'}" for status, count in sorted(answers.items()))
        self.check(f"flood answered {REFUSED}", answers[REFUSED] > 0, counted, "yes")
        self.check("flooding address banned on every node", banned, "yes" if banned else "no", "yes")
        return PastCacheResult(
            name=self.name,
            login_page_before_seconds=statistics.median(before),
            login_page_during_seconds=statistics.median(during),
            login_page_slowest_seconds=max(during),
            flood_answers=answers.total() - answers[0],
            flood_answers_429=answers[REFUSED],
        )

    def _login_pages(self, when: str) -> tuple[list[float], list[str]]:
        """Load login pages one after the other; returns their times in seconds, and the failures."""
        times, failed = [], []
        for number in range(1, PAGES + 1):
            self.step.detail(f"login page {number} of {PAGES} {when}")
            begun = time.monotonic()
            with browser(READER, PATIENCE) as reader:
                try:
                    status = str(reader.get(f"{self.site.url}/wp-login.php").status_code)
                except httpx.HTTPError as error:
                    status = type(error).__name__
            times.append(time.monotonic() - begun)
            if status != "200":
                failed.append(f"{status} {when}")
            time.sleep(max(0.0, PAGE_INTERVAL - times[-1]))
        return times, failed

    def _banned(self) -> bool:
        """Whether every node refuses the flooding address."""
        return all(FLOODER in refused for refused in access_logs.bans(self.site).values())

    def _unban(self) -> None:
        """End the ban, so that the drill leaves none."""
        self.site.on(self.site.roles.web[0], "unban", FLOODER)


def total(flooder: Flooder) -> int:
    return flooder.answers.total()


def stop_all(flood: Sequence[Flooder]) -> None:
    """Stop all clients together: those that still wait for an answer keep none of the others at work."""
    with ThreadPoolExecutor(len(flood)) as pool:
        list(pool.map(Flooder.stop, flood))
