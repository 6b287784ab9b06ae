"""A page of a third party with broken images of this site: its reader's browser asks the site for each of them."""

from __future__ import annotations

from collections.abc import Sequence

from rehearsal.drills import access_logs
from rehearsal.drills.attacks.base import Attack
from rehearsal.drills.outside_addresses import THIRD_PARTY_VISITOR, browser, outside_addresses
from rehearsal.report.model import FaultResult

IMAGES = 20
REFERER = "https://third-party.example/gallery"
PATIENCE = 30.0
"""Seconds until the visitor gives up."""
LONGEST_BAN = 600.0
"""Seconds that a visitor of somebody else's page may be banned."""
BAN_SECONDS = 6.0
"""Seconds in which a ban would have reached every node (flood/checks.py, BAN_LIMIT), and one more."""


class ThirdPartyPage(Attack):
    """A browser loads a page of a third party that embeds addresses of this site that do not exist."""

    name = "third-party page"

    def cause(self) -> FaultResult:
        with outside_addresses(THIRD_PARTY_VISITOR), browser(THIRD_PARTY_VISITOR, PATIENCE) as visitor:
            self.since = self.mark(f"a browser asks for {IMAGES} broken images")
            for number in range(IMAGES):
                # without an extension: the site cannot tell them from a scan by their names
                visitor.get(f"{self.site.url}/n{number}", headers={"Referer": REFERER})
            self.wait("every node bans the visitor", lambda: len(self._bans()) == len(self._nodes), BAN_SECONDS)
            status = visitor.get(self.site.url).status_code
        seconds = max(self._bans(), default=0.0)
        self.site.on(self.site.roles.web[0], "unban", THIRD_PARTY_VISITOR)
        self.check("ban of the page's reader", seconds <= LONGEST_BAN, f"{seconds:.0f} s", f"<= {LONGEST_BAN:.0f} s")
        self.check("page after the broken images", status == 200, f"status {status}", "status 200")
        return FaultResult(name=self.name)

    @property
    def _nodes(self) -> Sequence[str]:
        """The nodes that refuse banned visitors."""
        return (*self.site.roles.web, *self.site.roles.balancers)

    def _bans(self) -> list[float]:
        """The seconds left of the visitor's bans, of all nodes."""
        dropped = [access_logs.dropped_at(self.site, node) for node in self._nodes]
        return [bans[THIRD_PARTY_VISITOR] for bans in dropped if THIRD_PARTY_VISITOR in bans]
