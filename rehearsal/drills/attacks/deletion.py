"""An attacker deletes the site's files and tables; the operator restores both from the last backup."""

from __future__ import annotations

from rehearsal.drills.attacks.base import Attack
from rehearsal.drills.attacks.compromised_php import AS_PHP
from rehearsal.drills.attacks.content import Content
from rehearsal.drills.flood.clients import UNCACHED_COOKIE
from rehearsal.drills.site import Site
from rehearsal.probes.visitors import PageProbe
from rehearsal.report.model import FaultResult, Seconds

SERVE_LIMIT = 300.0
"""Seconds from the deletion until visitors are served again."""
DROP = 'require $argv[1]; foreach ($wpdb->get_col("SHOW TABLES") as $name) { $wpdb->query("DROP TABLE `$name`"); }'
"""Drops every table, as a hole in a plugin lets anybody do."""


class DeletionResult(FaultResult):
    """The figures of a restoration: of the backup, of the data that it lacks, and of the way back."""

    backup_seconds: Seconds
    data_lost_seconds: Seconds
    restore_seconds: Seconds
    serves_again_seconds: Seconds


class Deletion(Attack):
    """Back the site up, delete it as PHP's user, and restore it with the documented command.

    `directory`: the directory of the volume with the files of the drill's clients. `page`: a text in every page of a
    working site.
    """

    name = "everything deleted by an attacker"

    def __init__(self, site: Site, directory: str, page: str) -> None:
        super().__init__(site)
        self._directory, self._page = directory, page

    def cause(self) -> FaultResult:
        attacked, other, *_ = self.site.roles.web
        visitor = PageProbe("visitor past the cache", self.site.url, self._page, cookie=UNCACHED_COOKIE)
        try:
            # the first view of a theme writes a post
            self.wait("a visitor is served", lambda: visitor.succeeded_since(0))
            backup = self.mark("backup begins")
            self.site.on(attacked, "systemctl", "start", "site-backup", timeout=300)
            backup_seconds = self.mark("backup has ended") - backup
            content = Content(self.site, self._directory)

            self.since = self.mark("files and tables are deleted")
            self._delete(attacked)
            first = self.site.roles.bricks[0]
            deleted = len(self.site.differing(first, content.files[first]))
            restore = self.mark("site-restore begins")
            self.site.on(other, "site-restore", "latest", timeout=600)
            restored = self.mark("site-restore has ended")
            self.wait(
                "visitors are served again",
                lambda: visitor.succeeded_since(restored) and all(map(self.site.healthy, self.site.roles.web)),
            )
            served = self.mark("visitors are served again")
        finally:
            visitor.stop()

        self.check("files deleted", deleted > 0, f"{deleted:,}", "> 0")
        content.check(self)
        seconds = served - self.since
        self.check("serves again", seconds <= SERVE_LIMIT, f"{seconds:.1f} s", f"<= {SERVE_LIMIT:.0f} s")
        return DeletionResult(
            name=self.name,
            page_outage_seconds=visitor.outage(self.since, served),
            backup_seconds=backup_seconds,
            data_lost_seconds=self.since - backup,
            restore_seconds=restored - restore,
            serves_again_seconds=seconds,
            timeline=[visitor.lane(self.since)],
        )

    def _delete(self, node: str) -> None:
        """Drop every table, and delete every file that PHP's user may delete."""
        self.site.on(node, *AS_PHP, "php", "-r", DROP, f"{self.site.mount}/wp-load.php")
        # the files of the drill's own clients are root's
        self.site.on(node, *AS_PHP, "sh", "-c", 'rm -rf "$1"/* 2>/dev/null || true', "sh", self.site.mount, timeout=120)
