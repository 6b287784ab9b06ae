"""WordPress on a mount that every node shares."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import pulumi
import pulumi_random as random

from components.cloud.interface import Database
from components.config import settings
from components.machine.remote import RemoteHost
from components.migrate.migrate import DirectoryMigration, DirectoryMigrationArgs

HERE = Path(__file__).parent

SALTS = (
    "AUTH_KEY",
    "SECURE_AUTH_KEY",
    "LOGGED_IN_KEY",
    "NONCE_KEY",
    "AUTH_SALT",
    "SECURE_AUTH_SALT",
    "LOGGED_IN_SALT",
    "NONCE_SALT",
)
SALT_LENGTH = 64
"""Characters, as WordPress's own generator makes them."""


@dataclass(frozen=True)
class WordPressArgs:
    """`host`: the node that installs the site. `root`: its document root. `url`: what visitors type.

    `mounted`: what the code waits for. `php`: what the installation waits for beside the code and the database.
    """

    host: RemoteHost
    site: settings.Site
    root: str
    url: pulumi.Input[str]
    database: Database
    mounted: pulumi.Resource
    php: Sequence[pulumi.Resource]


class Upload(NamedTuple):
    """A local file on the machine: its path there, its sum, what to wait for; all empty where there is no file."""

    path: str
    sha256: str
    copied: list[pulumi.Resource]


class WordPress(pulumi.ComponentResource):
    """An installed site (code, configuration and tables, a timer, salts, the administrator's password)."""

    def __init__(self, name: str, args: WordPressArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("ha-wordpress:wordpress:WordPress", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        site, host, database = args.site, args.host, args.database
        self.admin_password = random.RandomPassword(f"{name}-admin", length=24, special=False, opts=child).result
        # one text cut in eight: made once, the same on every node
        salts = random.RandomPassword(
            f"{name}-salts", length=len(SALTS) * SALT_LENGTH, special=False, opts=child
        ).result.apply(lambda text: [text[at : at + SALT_LENGTH] for at in range(0, len(text), SALT_LENGTH)])

        moved = site.import_
        files = self._upload(host, "import-files", moved.files if moved else None)
        dump = self._upload(host, "import-database", moved.database if moved else None)

        brought: list[pulumi.Resource] = []
        if moved and moved.directory:
            brought = [
                DirectoryMigration(
                    "site",
                    DirectoryMigrationArgs(host, moved.directory, args.root, aside=True, depends_on=[args.mounted]),
                    opts=child,
                ).step
            ]
        code = host.run(
            "wordpress-code",
            HERE / "code.sh",
            params={
                "ROOT": args.root,
                "IMPORT": files.path,
                "IMPORT_SHA256": files.sha256,
                "ARCHIVE_URL": site.archive.url if site.archive else "",
                "ARCHIVE_SHA256": site.archive.sha256 if site.archive else "",
            },
            timeout=900,
            opts=pulumi.ResourceOptions(parent=self, depends_on=[args.mounted, *files.copied, *brought]),
        )
        installed = host.run(
            "wordpress-site",
            HERE / "site.sh",
            params={
                "ROOT": args.root,
                "URL": args.url,
                "TITLE": site.title,
                "ADMIN_USER": site.admin_user,
                "ADMIN_EMAIL": site.admin_email,
                "DB_HOST": pulumi.Output.format("{0}:{1}", database.address, database.port),
                "DB_NAME": database.name,
                "DB_USER": database.user,
                "IMPORT": dump.path,
                "IMPORT_SHA256": dump.sha256,
                "WP_CONFIG": (HERE / "wp-config.php").read_text(),
                "DB_ERROR": (HERE / "db-error.php").read_text(),
                "PURGE": (HERE / "purge.php").read_text(),
                "INSTALL": (HERE / "install.php").read_text(),
            },
            secrets={
                "DB_PASSWORD": database.password,
                "ADMIN_PASSWORD": self.admin_password,
                **{salt: salts[at] for at, salt in enumerate(SALTS)},
            },
            timeout=900,
            opts=pulumi.ResourceOptions(parent=self, depends_on=[code, *args.php, *database.reachable, *dump.copied]),
        )
        host.run(
            "wordpress-cron",
            HERE / "cron.sh",
            params={
                "SERVICE": (HERE / "wordpress-cron.service").read_text().replace("@ROOT@", args.root),
                "TIMER": (HERE / "wordpress-cron.timer").read_text(),
            },
            opts=pulumi.ResourceOptions(parent=self, depends_on=[installed]),
        )
        self.register_outputs({})

    def _upload(self, host: RemoteHost, step: str, source: Path | None) -> Upload:
        if source is None:
            return Upload("", "", [])
        with source.open("rb") as content:
            sha256 = hashlib.file_digest(content, "sha256").hexdigest()
        path, copied = host.copy(step, source, opts=pulumi.ResourceOptions(parent=self))
        return Upload(path, sha256, [copied])
