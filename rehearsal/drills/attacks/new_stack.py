"""A whole stack is destroyed, by mistake or by an attacker; a new one begins with the last backup of its site."""

from __future__ import annotations

import xmlrpc.client
from collections.abc import Callable

from rehearsal.drills.attacks.base import Attack
from rehearsal.drills.attacks.content import Content
from rehearsal.drills.flood.clients import UNCACHED_COOKIE
from rehearsal.drills.site import Site
from rehearsal.drills.xml_rpc import call
from rehearsal.probes.visitors import PageProbe
from rehearsal.project import PROJECT
from rehearsal.region.object_storage import Account
from rehearsal.report.model import FaultResult, Seconds

SERVE_LIMIT = 900.0
"""Seconds from the start of `pulumi up` until visitors are served."""
OWN = ("wp-config.php", "users")
"""The file and the table that differ in a new stack: it has keys and logins of its own."""


class NewStackResult(FaultResult):
    """The figures of a new stack: of the backup, of the data that it lacks, and of the way back."""

    backup_seconds: Seconds
    data_lost_seconds: Seconds
    """From the start of the backup until the old stack is destroyed: what was written meanwhile is lost."""
    serves_seconds: Seconds
    """From the start of `pulumi up` until a visitor is served."""


class NewStack(Attack):
    """Back the site up, destroy the stack, and deploy it anew with `site.restore`.

    `directory`: the directory of the volume with the files of the drill's clients. `page`: a text in every page of a
    working site. `left`: what a destroyed stack has left in the cloud, without the bucket, which outlives it.
    """

    name = "a new stack from a backup"

    def __init__(self, site: Site, directory: str, page: str, left: Callable[[], list[str]]) -> None:
        super().__init__(site)
        self._directory, self._page, self._left = directory, page, left

    def cause(self) -> FaultResult:
        first = self.site.roles.web[0]
        # the first view of a theme writes a post
        self._wait_for_page()
        backup = self.mark("backup begins")
        self.site.on(first, "systemctl", "start", "site-backup", timeout=300)
        backup_seconds = self.mark("backup has ended") - backup
        content = Content(self.site, self._directory, without=OWN)

        endpoint, bucket = str(self.site.deployment.outputs()["backups"]).rsplit("/", 1)

        self.since = self.mark("the stack is destroyed")
        self._set("protect_data", "false")
        self.site.deployment.up(self.step)
        self.site.deployment.destroy(self.step)
        self.check_none("left of the old stack", self._left())

        account = Account.new("AKIA")
        self.control.give_key(bucket, account)
        self._set("backup.endpoint", endpoint)
        self._set("backup.bucket", bucket)
        self._set("backup.access_key_id", account.access_key_id)
        self._set("backup_secret_access_key", account.secret_access_key, secret=True)
        self._set("protect_data", "true")
        self._set("site.restore.from", "latest")
        begun = self.mark("pulumi up begins")
        up_seconds = self.site.deployment.up(self.step).seconds
        self.mark("pulumi up has ended")
        self.site.read_outputs()
        for record in self.site.outputs.get("dns_records", []):
            self.control.point_domain(record["name"], record["value"])
        served = self._wait_for_page()
        seconds = self.mark("a visitor is served" if served else "no visitor is served") - begun

        content.check(self)
        refused = self._refused_login(first)
        self.check("the stack's outputs log in", not refused, refused or "yes", "yes")
        changes = self.site.deployment.up(self.step).changes
        self.check("resources changed by a second up", not changes, ", ".join(changes) or "0", "0")
        limit = f"<= {SERVE_LIMIT:.0f} s"
        self.check("serves", served and seconds <= SERVE_LIMIT, f"{seconds:.1f} s" if served else "no", limit)
        return NewStackResult(
            name=self.name,
            up_seconds=up_seconds,
            backup_seconds=backup_seconds,
            data_lost_seconds=self.since - backup,
            serves_seconds=seconds,
        )

    def _set(self, key: str, value: str, *, secret: bool = False) -> None:
        self.site.deployment.set(f"{PROJECT}:{key}", value, secret=secret)

    def _wait_for_page(self) -> bool:
        """Wait until a visitor is served past the cache; returns whether one was."""
        visitor = PageProbe("visitor past the cache", self.site.url, self._page, cookie=UNCACHED_COOKIE)
        try:
            return self.wait("a visitor is served", lambda: visitor.succeeded_since(0))
        finally:
            visitor.stop()

    def _refused_login(self, node: str) -> str:
        """The reason why WordPress refuses the login of the stack's outputs; empty if it does not."""
        try:
            call(self.site, node, "wp.getUsersBlogs")
        except xmlrpc.client.Fault as refused:
            return refused.faultString
        return ""
