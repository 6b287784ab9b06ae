"""The drill of PHP sessions behind balancers that share an address."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from urllib.parse import urlsplit

from rehearsal.drills.base import PAGE_OUTAGE, WRITE_OUTAGE
from rehearsal.drills.existing import ExistingDrill
from rehearsal.drills.fault_window import FaultWindow
from rehearsal.probes.base import AddressProbe, Probe, SessionProbe, worst
from rehearsal.report.model import FaultResult, Seconds

VISITORS = 10
ADDRESS_OUTAGE = 5.0
"""Seconds until the other balancer has the address."""
FLAPS = 10
FLAP = 1.0
"""Seconds that a link which flaps is down, and up again."""


class SessionsResult(FaultResult):
    """What a fault did to the visitors' sessions."""

    address_outage_seconds: Seconds | None
    visits: int
    lost_visits: int
    lost_sessions: int


class SessionsDrill(ExistingDrill):
    """The balancer with the address is lost, then a PHP server; a balancer's private link flaps; all nodes reboot."""

    def run(self) -> None:
        self.node_loss(self.active())
        self.expect("the address moves", self.address_outage(), ADDRESS_OUTAGE)
        self.node_loss(self.site.roles.web[0])
        self.link_flaps(self.active())
        self.reboot_all()

    def visitors(self) -> Sequence[Probe]:
        address = urlsplit(self.site.url)
        assert address.hostname
        return [
            AddressProbe(address.hostname, address.port or 80),
            *(SessionProbe(f"visitor {number}", self.site.url) for number in range(1, VISITORS + 1)),
        ]

    def active(self) -> str:
        """The balancer that has the address. Raises `LookupError` when none has it, or several have."""
        address = urlsplit(self.site.url).hostname
        holders = [
            node
            for node in self.site.roles.balancers
            if f" {address}/" in self.site.on(node, "ip", "-oneline", "-4", "address", "show")
        ]
        if len(holders) != 1:
            raise LookupError(f"{address} is held by {' and '.join(holders) or 'no balancer'}")
        return holders[0]

    def address_outage(self) -> float | None:
        fault = self.found[-1]
        assert isinstance(fault, SessionsResult)
        return fault.address_outage_seconds

    def link_flaps(self, node: str) -> None:
        """A node's link to the storage network goes and comes."""
        with self.watched(f"{node}'s link flaps") as window:
            window.begin(time.time(), f"{node}'s private link flaps")
            for _ in range(FLAPS):
                self.control.cut_link(node, "eth1")
                time.sleep(FLAP)
                self.control.restore_link(node, "eth1")
                time.sleep(FLAP)
            steady = time.time()
            window.mark("the link stays")
            window.wait(
                "everyone is served again", lambda: all(probe.succeeded_since(steady) for probe in window.probes)
            )
            window.end(window.probes)
            window.stop()
            window.heal()
        fault = self.found[-1]
        self.expect("writes", fault.write_outage_seconds, WRITE_OUTAGE)
        self.expect("pages", fault.page_outage_seconds, PAGE_OUTAGE)

    @contextmanager
    def watched(self, name: str) -> Iterator[FaultWindow]:
        """After the fault, every visitor looks once more for what the site had acknowledged."""
        with super().watched(name) as window:
            yield window
        visitors = [probe for probe in window.probes if isinstance(probe, SessionProbe)]
        wrong = [f"{visitor.name}: {found}" for visitor in visitors if (found := visitor.look_back())]
        fault = SessionsResult(
            **dict(self.found.pop()),
            address_outage_seconds=worst(window.probes, "address", window.since, window.until),
            visits=sum(visitor.visits for visitor in visitors),
            lost_visits=sum(visitor.lost_visits for visitor in visitors),
            lost_sessions=sum(visitor.lost_sessions for visitor in visitors),
        )
        self.found.append(fault)
        self.check(
            f"{name}: no counter goes back",
            not fault.lost_visits,
            f"{fault.lost_visits} of {fault.visits} visits lost",
            "none",
        )
        self.check(
            f"{name}: sessions, carts and logins survive",
            not fault.lost_sessions and not wrong,
            "; ".join(wrong[:3]) or f"{fault.lost_sessions} of {VISITORS} lost",
            "all",
        )
