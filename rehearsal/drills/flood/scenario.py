"""The events of a flood, in order."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from urllib.parse import urlsplit

from rehearsal import progress
from rehearsal.drills import access_logs
from rehearsal.drills.access_logs import Bans
from rehearsal.drills.fault_window import RETURN_LIMIT, until
from rehearsal.drills.flood import checks
from rehearsal.drills.flood.addresses import ADDRESSES, ATTACKERS, LATE_ATTACKER, LEGITIMATE
from rehearsal.drills.flood.attackers import LATE_PERIOD, Attack, forwarded_attackers, outside_attackers
from rehearsal.drills.flood.checks import BAN_LIMIT, FLOOD, SLOW, FloodResult
from rehearsal.drills.flood.clients import UNCACHED_COOKIE, LegitimateClient, log_in_everywhere
from rehearsal.drills.load_test import Load, load
from rehearsal.drills.outside_addresses import outside_addresses
from rehearsal.drills.site import NODE_DOWN_ERRORS, Site
from rehearsal.probes.agents.flood import REFUSED
from rehearsal.probes.base import longest_outage
from rehearsal.probes.visitors import PageProbe
from rehearsal.report.model import Check, Mark

FLOOD_LIMIT = 120.0
"""Seconds after which the drill stops waiting for all bans."""
LOAD_SECONDS = 2


class Flood:
    """A flood of one site; `page`: a text of its first page.

    Half of the attackers connect through the balancer; the other half send their requests to one node, the target, as
    the balancer would forward them.
    """

    def __init__(self, site: Site, page: str) -> None:
        self._site, self._control, self._page = site, site.control, page
        self._target = site.roles.web[0]
        self._observer = [*site.roles.balancers, *site.roles.web[1:]][0]
        """Another node that counts hits; it is not the target."""
        self._marks: list[tuple[float, str]] = []

    def run(self) -> tuple[FloodResult, list[Check]]:
        """Flood the site; during the flood, kill Fail2Ban on the observer and reboot the target.

        Requests of legitimate clients count until that reboot: the cost of a lost node is the figure of another fault.
        """
        with (
            progress.step("Fault: flood") as self._step,
            outside_addresses(*ADDRESSES),
            access_logs.logged(self._site),
            ExitStack() as stack,
        ):
            self._step.detail("a login on every node")
            log_in_everywhere(self._site)
            clients = self._start_clients(stack)

            since = self._mark(f"{len(ATTACKERS)} addresses attack")
            forwarded, outside = self._start_attackers(stack)
            self._wait_for_bans()
            late = self._start_late_attacker(stack)
            restart = self._kill_fail2ban()
            self._wait("the late attacker is banned", lambda: self._banned([LATE_ATTACKER]), FLOOD_LIMIT)
            ended = time.time()
            for client in clients:
                client.stop()

            cached, one_by_one = self._load_page(clients=4), self._load_page(clients=1)
            uncached = self._load_page(clients=2, cookie=UNCACHED_COOKIE)

            # read before the reboot, after which the files of the bans have new times
            banned = access_logs.bans(self._site)
            reboot = self._reboot_target(forwarded, banned[self._target])
            for attack in (forwarded, outside, late):
                attack.stop()
            visits = access_logs.visits(self._site)
            banned_after = access_logs.bans(self._site)
            unban = self._unban(ATTACKERS[0])

        counted = [a for client in clients for a in client.attempts if since <= a.start <= ended]
        addresses = {*itertools.chain(*banned.values(), *banned_after.values())}
        result = FloodResult(
            name=FLOOD,
            page_outage_seconds=longest_outage(clients, "page", since, ended),
            ban_seconds=access_logs.slowest_ban([*ATTACKERS, LATE_ATTACKER], visits, banned, self._hits),
            legitimate_failures=sum(attempt.error is not None for attempt in counted),
            slow_legitimate_requests=sum(attempt.error is None and attempt.seconds > SLOW for attempt in counted),
            php_hits_after_ban=len(access_logs.php_after_ban(visits, banned)),
            wrong_bans=len(addresses - {*ATTACKERS, LATE_ATTACKER}),
            cached_pages_per_second=round(cached.per_second),
            uncached_pages_per_second=round(uncached.per_second, 1),
            cached_p99_ms=None if one_by_one.p99_seconds is None else round(one_by_one.p99_seconds * 1000, 1),
            marks=[Mark(at=at - since, text=text) for at, text in self._marks],
            timeline=[client.lane(since) for client in clients],
        )
        requests = [request for attack in (forwarded, outside, late) for request in attack.requests]
        refused = sum(request.status == REFUSED for request in requests)
        figures = checks.figures(result, hits=self._hits, legitimate=len(counted), refused=refused)
        return result, [restart, reboot, unban, *figures]

    def _start_clients(self, stack: ExitStack) -> Sequence[LegitimateClient]:
        """Start the legitimate clients and wait until each of them is served."""
        clients = [
            LegitimateClient(number, source, self._site, self._page) for number, source in enumerate(LEGITIMATE, 1)
        ]
        for client in clients:
            stack.callback(client.stop)
        self._wait("every client is served", lambda: all(c.attempts and not c.attempts[-1].error for c in clients))
        return clients

    def _start_attackers(self, stack: ExitStack) -> tuple[Attack, Attack]:
        """Start the first attackers: those that the balancer forwards, and those that connect to it."""
        node = self._control.address(self._target)
        forwarded = Attack(
            self._control.netns_prefix("balancer"), forwarded_attackers(ATTACKERS[::2], self._site.url, node)
        )
        stack.callback(forwarded.stop)
        outside = Attack([], outside_attackers(ATTACKERS[1::2], self._site.url, node))
        stack.callback(outside.stop)
        return forwarded, outside

    def _wait_for_bans(self) -> None:
        """Wait until every node refuses the first attackers."""
        # only every second, because each look costs the nodes processor time that legitimate clients need
        banned = self._wait("all are banned on every node", lambda: self._banned(ATTACKERS), FLOOD_LIMIT, every=1)
        self._mark("all are banned on every node" if banned else "not all are banned on every node")

    def _start_late_attacker(self, stack: ExitStack) -> Attack:
        """Start one more attacker, whose hits fall into the restart of Fail2Ban."""
        node = self._control.address(self._target)
        late = Attack([], outside_attackers([LATE_ATTACKER], self._site.url, node, LATE_PERIOD))
        stack.callback(late.stop)
        return late

    def _kill_fail2ban(self) -> Check:
        """Kill Fail2Ban on the observer; it must restart by itself and count the hits that it missed."""
        begun = self._mark(f"Fail2Ban is killed on {self._observer}")
        killed = self._fail2ban_pid()
        self._site.on(self._observer, "systemctl", "kill", "--signal=KILL", "fail2ban")
        back = self._wait(
            f"Fail2Ban counts again on {self._observer}",
            lambda: self._fail2ban_pid() not in (killed, "0") and self._late_attacker_in_jail(),
        )
        outcome = "counts again" if back else "does not return"
        moment = self._mark(f"Fail2Ban {outcome} on {self._observer}")
        return checks.fail2ban_restart(moment - begun if back else None)

    def _fail2ban_pid(self) -> str:
        """The process id of the observer's Fail2Ban; `0` while it does not run."""
        return self._site.on(self._observer, "systemctl", "show", "--property=MainPID", "--value", "fail2ban").strip()

    def _late_attacker_in_jail(self) -> bool:
        """Whether the observer's own jail has banned the late attacker; it does not list bans of other nodes."""
        try:
            jailed = self._site.on(self._observer, "fail2ban-client", "get", "wordpress", "banip").split()
        except NODE_DOWN_ERRORS:
            return False
        return LATE_ATTACKER in jailed

    def _load_page(self, clients: int, cookie: str = "") -> Load:
        """Load the first page from the target as the balancer does; `clients`: number of parallel requests."""
        self._step.detail("a load test of pages")
        url = urlsplit(self._site.url)
        return load(
            [*self._control.netns_prefix("balancer"), *self._control.chroot_prefix()],
            f"http://{self._control.address(self._target)}/",
            {"Host": url.netloc, "X-Forwarded-Proto": url.scheme} | ({"Cookie": cookie} if cookie else {}),
            clients=clients,
            seconds=LOAD_SECONDS,
        )

    def _reboot_target(self, attack: Attack, banned: Bans) -> Check:
        """Reboot the target during the attack; from its first answer on, it must refuse all that it had banned."""
        node = self._target
        self._mark(f"{node} reboots")
        self._control.reboot(node)
        self._wait(f"{node} is down", lambda: not self._site.healthy(node))
        serves = self._wait(f"{node} serves again", lambda: self._site.healthy(node))
        after = access_logs.bans_at(self._site, node)
        back = self._mark(f"{node} serves again" if serves else f"{node} does not serve")
        self._wait(f"attackers reach {node} again", lambda: bool(attack.answers_since(back)))
        return checks.bans_after_reboot(banned, after, attack.answers_since(back))

    def _unban(self, address: str) -> Check:
        """Unban an address on the observer; every node must stop refusing it, and the site must serve it."""
        begun = self._mark(f"an unban on {self._observer}")
        self._site.on(self._observer, "unban", address)
        self._wait(
            "no node refuses the address",
            lambda: not any(address in refused for refused in access_logs.bans(self._site).values()),
        )
        seconds = time.time() - begun
        visitor = PageProbe("unbanned", self._site.url, self._page, source=address)
        self._wait("the site answers the address", lambda: bool(visitor.attempts), BAN_LIMIT)
        visitor.stop()
        errors = [attempt.error for attempt in visitor.attempts if attempt.error]
        return checks.unban(seconds, errors[0] if errors else None if visitor.attempts else "no answer")

    def _banned(self, addresses: Sequence[str]) -> bool:
        """Whether every node refuses all these addresses."""
        return all({*addresses} <= refused.keys() for refused in access_logs.bans(self._site).values())

    @property
    def _hits(self) -> int:
        """Hits within the jail's time that lead to a ban."""
        return self._site.settings.bans.hits

    def _mark(self, text: str) -> float:
        """Mark this moment in the timeline, and return it in seconds since the epoch."""
        self._marks.append((time.time(), text))
        return self._marks[-1][0]

    def _wait(self, what: str, happened: Callable[[], bool], limit: float = RETURN_LIMIT, every: float = 0.2) -> bool:
        """Wait up to `limit` seconds for a condition; returns whether it came true. `what`: for the progress line."""
        self._step.detail(f"until {what}")
        return until(happened, limit, every)
