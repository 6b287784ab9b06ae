"""Names under which editors and updates leave copies of wp-config.php, with the database's password."""

from __future__ import annotations

from rehearsal.drills.attacks.base import Attack
from rehearsal.drills.outside_addresses import READER, browser, outside_addresses
from rehearsal.report.model import FaultResult

SECRET = "rehearsal-secret-in-a-copy"
PATIENCE = 30.0
"""Seconds until the reader gives up."""
NAMES = [
    *(f"wp-config.php{ending}" for ending in (".new", ".bak", ".old", "~", ".log", ".orig", ".save", ".swp", ".sql")),
    ".wp-config.php.swp",
]


class TemporaryNames(Attack):
    """Copies of the site's configuration lie in the document root; no visitor may read one."""

    name = "temporary names"

    def cause(self) -> FaultResult:
        node, paths = self.site.roles.web[0], [f"{self.site.mount}/{name}" for name in NAMES]
        self.since = self.mark(f"{len(NAMES)} copies of wp-config.php in the document root")
        script = 'for copy; do printf %s "$SECRET" >"$copy"; chown www-data:www-data "$copy"; done'
        self.site.on(node, "env", f"SECRET={SECRET}", "sh", "-c", script, "sh", *paths)
        try:
            with outside_addresses(READER), browser(READER, PATIENCE) as reader:
                answers = {name: reader.get(f"{self.site.url}/{name}") for name in NAMES}
        finally:
            self.site.on(node, "rm", "-f", *paths)
            self.site.on(node, "unban", READER)
        served = [f"{name}: the text" for name, answer in answers.items() if SECRET in answer.text]
        others = [
            f"{name}: {a.status_code}" for name, a in answers.items() if a.status_code != 404 and SECRET not in a.text
        ]
        self.check_none("copies of wp-config.php served", [*served, *others], "404 for all")
        return FaultResult(name=self.name)
