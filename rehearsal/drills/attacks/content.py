"""The content of a site, compared before and after a restoration."""

from __future__ import annotations

from collections.abc import Collection

from rehearsal.drills.attacks.base import Attack
from rehearsal.drills.attacks.compromised_php import AS_PHP
from rehearsal.drills.site import Site

TABLES = ("posts", "postmeta", "users", "terms", "term_taxonomy")
"""Tables that only an author changes."""
CHECKSUMS = (
    "require $argv[1]; foreach (array_slice($argv, 2) as $name) "
    '{ echo $name, " ", $wpdb->get_var("CHECKSUM TABLE {$wpdb->prefix}$name", 1), "\\n"; }'
)


class Content:
    """Checksums of the site's files on every brick, and of `TABLES`.

    `directory`: the directory of the volume with the files of the drill's clients, which are left out. `without`: names
    of further files and tables that are left out.
    """

    def __init__(self, site: Site, directory: str, without: Collection[str] = ()) -> None:
        self._site, self._names = site, [name for name in TABLES if name not in without]
        ends = tuple(f" ./{name}" for name in without)
        self.files = {
            node: "".join(
                line for line in site.checksums(node, directory).splitlines(keepends=True)
                if not line.rstrip().endswith(ends)
            )
            for node in site.roles.bricks
        }  # fmt: skip
        self._tables = self._table_checksums()

    def check(self, attack: Attack) -> None:
        """Check that all files and tables are again as they were."""
        total = sum(len(checksums.splitlines()) for checksums in self.files.values())
        damaged = [f"{node}: {file}" for node in self.files for file in self._site.differing(node, self.files[node])]
        attack.check("files lost or changed", not damaged and total > 0, f"{len(damaged):,} of {total:,}", "0")
        attack.check_none("tables that differ", sorted({*self._tables} ^ {*self._table_checksums()}))

    def _table_checksums(self) -> list[str]:
        load = f"{self._site.mount}/wp-load.php"
        return self._site.on(self._site.roles.web[0], *AS_PHP, "php", "-r", CHECKSUMS, load, *self._names).splitlines()
