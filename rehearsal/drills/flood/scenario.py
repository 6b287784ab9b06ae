"""The events of a flood, in order."""

from __future__ import annotations

import itertools
import time
from collections.abc import Sequence
from contextlib import ExitStack
from urllib.parse import urlsplit

from rehearsal.drills import access_logs
from rehearsal.drills.access_logs import Bans
from rehearsal.drills.attacks.base import Attack
from rehearsal.drills.flood import checks
from rehearsal.drills.flood.addresses import ADDRESSES, ATTACKERS, LATE_ATTACKER, LEGITIMATE
from rehearsal.drills.flood.attackers import LATE_PERIOD, Attackers, forwarded_attackers, outside_attackers
from rehearsal.drills.flood.checks import BAN_LIMIT, FLOOD, SLOW, FloodResult
from rehearsal.drills.flood.clients import UNCACHED_COOKIE, LegitimateClient, log_in_everywhere
from rehearsal.drills.load_test import Load, load
from rehearsal.drills.outside_addresses import outside_addresses
from rehearsal.drills.site import NODE_DOWN_ERRORS, Site
from rehearsal.probes.agents.flood import REFUSED
from rehearsal.probes.base import longest_outage
from rehearsal.probes.visitors import PageProbe
from rehearsal.report.model import Check, FaultResult

FLOOD_LIMIT = 120.0
"""Seconds after which the drill stops waiting for all bans."""
LOAD_SECONDS = 2


class Flood(Attack):
    """A flood of one site; `page`: a text of its first page.

    Half of the attackers connect through the balancer; the other half send their requests to one node, the target, as
    the balancer would forward them.
    """

    name = FLOOD

    def __init__(self, site: Site, page: str) -> None:
        super().__init__(site)
        self._page = page
        self._target = site.roles.web[0]
        self._observer = [*site.roles.balancers, *site.roles.web[1:]][0]
        """Another node that counts hits; it is not the target."""

    def cause(self) -> FaultResult:
        """Flood the site; during the flood, kill Fail2Ban on the observer and reboot the target.

        Requests of legitimate clients count until that reboot: the cost of a lost node is the figure of another fault.
        """
        with outside_addresses(*ADDRESSES), access_logs.logged(self.site), ExitStack() as stack:
            self.step.detail("a login on every node")
            log_in_everywhere(self.site)
            clients = self._start_clients(stack)

            self.since = self.mark(f"{len(ATTACKERS)} addresses attack")
            forwarded, outside = self._start_attackers(stack)
            self._wait_for_bans()
            late = self._start_late_attacker(stack)
            restart = self._kill_fail2ban()
            self.wait("the late attacker is banned", lambda: self._banned([LATE_ATTACKER]), FLOOD_LIMIT)
            ended = time.time()
            for client in clients:
                client.stop()

            cached, one_by_one = self._load_page(clients=4), self._load_page(clients=1)
            uncached = self._load_page(clients=2, cookie=UNCACHED_COOKIE)

            # read before the reboot, after which the files of the bans have new times
            banned = access_logs.bans(self.site)
            reboot = self._reboot_target(forwarded, banned[self._target])
            for attack in (forwarded, outside, late):
                attack.stop()
            visits = access_logs.visits(self.site)
            banned_after = access_logs.bans(self.site)
            unban = self._unban(ATTACKERS[0])

        counted = [a for client in clients for a in client.attempts if self.since <= a.start <= ended]
        addresses = {*itertools.chain(*banned.values(), *banned_after.values())}
        result = FloodResult(
            name=FLOOD,
            page_outage_seconds=longest_outage(clients, "page", self.since, ended),
            ban_seconds=access_logs.slowest_ban([*ATTACKERS, LATE_ATTACKER], visits, banned, self._hits),
            legitimate_failures=sum(attempt.error is not None for attempt in counted),
            slow_legitimate_requests=sum(attempt.error is None and attempt.seconds > SLOW for attempt in counted),
            php_hits_after_ban=len(access_logs.php_after_ban(visits, banned)),
            wrong_bans=len(addresses - {*ATTACKERS, LATE_ATTACKER}),
            cached_pages_per_second=round(cached.per_second),
            uncached_pages_per_second=round(uncached.per_second, 1),
            cached_p99_ms=None if one_by_one.p99_seconds is None else round(one_by_one.p99_seconds * 1000, 1),
            timeline=[client.lane(self.since) for client in clients],
        )
        requests = [request for attack in (forwarded, outside, late) for request in attack.requests]
        refused = sum(request.status == REFUSED for request in requests)
        figures = checks.figures(result, hits=self._hits, legitimate=len(counted), refused=refused)
        self._checks += [restart, reboot, unban, *figures]
        return result

    def _start_clients(self, stack: ExitStack) -> Sequence[LegitimateClient]:
        """Start the legitimate clients and wait until each of them is served."""
        clients = [
            LegitimateClient(number, source, self.site, self._page) for number, source in enumerate(LEGITIMATE, 1)
        ]
        for client in clients:
            stack.callback(client.stop)
        self.wait("every client is served", lambda: all(c.attempts and not c.attempts[-1].error for c in clients))
        return clients

    def _start_attackers(self, stack: ExitStack) -> tuple[Attackers, Attackers]:
        """Start the first attackers: those that the balancer forwards, and those that connect to it."""
        node = self.control.address(self._target)
        forwarded = Attackers(
            self.control.netns_prefix("balancer"), forwarded_attackers(ATTACKERS[::2], self.site.url, node)
        )
        stack.callback(forwarded.stop)
        outside = Attackers([], outside_attackers(ATTACKERS[1::2], self.site.url, node))
        stack.callback(outside.stop)
        return forwarded, outside

    def _wait_for_bans(self) -> None:
        """Wait until every node refuses the first attackers."""
        # only every second, because each look costs the nodes processor time that legitimate clients need
        banned = self.wait("all are banned on every node", lambda: self._banned(ATTACKERS), FLOOD_LIMIT, every=1)
        self.mark("all are banned on every node" if banned else "not all are banned on every node")

    def _start_late_attacker(self, stack: ExitStack) -> Attackers:
        """Start one more attacker, whose hits fall into the restart of Fail2Ban."""
        node = self.control.address(self._target)
        late = Attackers([], outside_attackers([LATE_ATTACKER], self.site.url, node, LATE_PERIOD))
        stack.callback(late.stop)
        return late

    def _kill_fail2ban(self) -> Check:
        """Kill Fail2Ban on the observer; it must restart by itself and count the hits that it missed."""
        begun = self.mark(f"Fail2Ban is killed on {self._observer}")
        killed = self._fail2ban_pid()
        self.site.on(self._observer, "systemctl", "kill", "--signal=KILL", "fail2ban")
        back = self.wait(
            f"Fail2Ban counts again on {self._observer}",
            lambda: self._fail2ban_pid() not in (killed, "0") and self._late_attacker_in_jail(),
        )
        outcome = "counts again" if back else "does not return"
        moment = self.mark(f"Fail2Ban {outcome} on {self._observer}")
        return checks.fail2ban_restart(moment - begun if back else None)

    def _fail2ban_pid(self) -> str:
        """The process id of the observer's Fail2Ban; `0` while it does not run."""
        return self.site.on(self._observer, "systemctl", "show", "--property=MainPID", "--value", "fail2ban").strip()

    def _late_attacker_in_jail(self) -> bool:
        """Whether the observer's own jail has banned the late attacker; it does not list bans of other nodes."""
        try:
            jailed = self.site.on(self._observer, "fail2ban-client", "get", "wordpress", "banip").split()
        except NODE_DOWN_ERRORS:
            return False
        return LATE_ATTACKER in jailed

    def _load_page(self, clients: int, cookie: str = "") -> Load:
        """Load the first page from the target as the balancer does; `clients`: number of parallel requests."""
        self.step.detail("a load test of pages")
        url = urlsplit(self.site.url)
        return load(
            [*self.control.netns_prefix("balancer"), *self.control.chroot_prefix()],
            f"http://{self.control.address(self._target)}/",
            {"Host": url.netloc, "X-Forwarded-Proto": url.scheme} | ({"Cookie": cookie} if cookie else {}),
            clients=clients,
            seconds=LOAD_SECONDS,
        )

    def _reboot_target(self, attack: Attackers, banned: Bans) -> Check:
        """Reboot the target during the attack; from its first answer on, it must refuse all that it had banned."""
        node = self._target
        self.mark(f"{node} reboots")
        self.control.reboot(node)
        self.wait(f"{node} is down", lambda: not self.site.healthy(node))
        serves = self.wait(f"{node} serves again", lambda: self.site.healthy(node))
        after = access_logs.bans_at(self.site, node)
        back = self.mark(f"{node} serves again" if serves else f"{node} does not serve")
        self.wait(f"attackers reach {node} again", lambda: bool(attack.answers_since(back)))
        return checks.bans_after_reboot(banned, after, attack.answers_since(back))

    def _unban(self, address: str) -> Check:
        """Unban an address on the observer; every node must stop refusing it, and the site must serve it."""
        begun = self.mark(f"an unban on {self._observer}")
        self.site.on(self._observer, "unban", address)
        self.wait(
            "no node refuses the address",
            lambda: not any(address in refused for refused in access_logs.bans(self.site).values()),
        )
        seconds = time.time() - begun
        visitor = PageProbe("unbanned", self.site.url, self._page, source=address)
        self.wait("the site answers the address", lambda: bool(visitor.attempts), BAN_LIMIT)
        visitor.stop()
        errors = [attempt.error for attempt in visitor.attempts if attempt.error]
        return checks.unban(seconds, errors[0] if errors else None if visitor.attempts else "no answer")

    def _banned(self, addresses: Sequence[str]) -> bool:
        """Whether every node refuses all these addresses."""
        return all({*addresses} <= refused.keys() for refused in access_logs.bans(self.site).values())

    @property
    def _hits(self) -> int:
        """Hits within the jail's time that lead to a ban."""
        return self.site.settings.bans.hits
