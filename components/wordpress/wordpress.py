"""WordPress in a document root that every node mounts."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import pulumi
import pulumi_random as random

from components.backup.backup import Restoration
from components.cloud.interface import Database
from components.config import settings
from components.machine.remote import RemoteHost
from components.machine.template import render
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
"""Characters in each salt, as many as WordPress's own generator makes."""

RESTORE_TIMEOUT = 43200
"""Seconds in which a site is restored, as many as a backup may take (components/backup/site-backup.service)."""


@dataclass(frozen=True)
class WordPressArgs:
    """One site."""

    host: RemoteHost
    """The node that installs the site."""
    site: settings.Site
    """Title, administrator, and the source of the files and of the database."""
    root: str
    """The document root."""
    smtp_password: str
    """Password for the mail server, secret; empty without a server."""
    url: pulumi.Input[str]
    """The site's address as visitors type it."""
    database: Database
    """The site's database."""
    restoration: Restoration | None
    """The backup that a new site begins with."""
    mounted: pulumi.Resource
    """The mount of the document root."""
    php: Sequence[pulumi.Resource]
    """PHP-FPM, which the installation waits for beside the code and the database."""
    cron: Sequence[RemoteHost]
    """The nodes that run WordPress's scheduled work: all that mount the document root and have PHP."""


class Upload(NamedTuple):
    """A copy of a local file on the node; empty when the settings name no file."""

    path: str = ""
    """Path on the node."""
    sha256: str = ""
    """Checksum of the file, in hexadecimal digits."""
    copied: Sequence[pulumi.Resource] = ()
    """The resource that copies the file."""


class WordPress(pulumi.ComponentResource):
    """An installed site: code, configuration with salts, database tables, an administrator, and cron.

    Two steps, and one for cron on each node; with `site.import`, up to two copied files, a check and a migration before
    them; with `site.restore`, one step, which restores a backup. Existing code and tables are never overwritten: the
    steps fail instead. Every node has cron's timer, so that scheduled work does not depend on any one of them; a lock
    on the volume lets one node at a time run it.

    `admin_password`: an output, secret, of 24 characters. `database_user`, `database_password`: the site's own login of
    the database, the password secret. `installed`: the step after which the site's files are
    complete.
    """

    def __init__(self, name: str, args: WordPressArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("ha-wordpress:wordpress:WordPress", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        site, host, database = args.site, args.host, args.database
        self.admin_password = random.RandomPassword(f"{name}-admin", length=24, special=False, opts=child).result
        # one random text, cut into eight salts
        salts = random.RandomPassword(
            f"{name}-salts", length=len(SALTS) * SALT_LENGTH, special=False, opts=child
        ).result.apply(lambda text: [text[at : at + SALT_LENGTH] for at in range(0, len(text), SALT_LENGTH)])

        user, password = database.user, database.password
        if database.administrator:
            user = f"{database.name}_site"
            password = random.RandomPassword(f"{name}-database", length=32, special=False, opts=child).result

        self.database_user, self.database_password = user, password

        imported = site.import_
        dump = self._upload(host, "import-database", imported.database if imported else None)

        restoration = args.restoration
        # a backup has the code too
        code = args.mounted if restoration else self._code(args)
        self.installed = host.run(
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
                "DB_USER": user,
                "DB_ADMIN": database.user,
                "IMPORT": dump.path,
                "IMPORT_SHA256": dump.sha256,
                "RESTORE": restoration.moment if restoration else "",
                **(restoration.params if restoration else {}),
                **smtp_params(site.smtp),
                "WP_CONFIG": (HERE / "wp-config.php").read_text(),
                "DB_ERROR": (HERE / "db-error.php").read_text(),
                "PURGE": (HERE / "purge.php").read_text(),
                "MAIL": (HERE / "mail.php").read_text(),
                "INSTALL": (HERE / "install.php").read_text(),
            },
            secrets={
                "DB_PASSWORD": password,
                "DB_ADMIN_PASSWORD": database.password,
                "ADMIN_PASSWORD": self.admin_password,
                "SMTP_PASSWORD": args.smtp_password,
                **{salt: salts[at] for at, salt in enumerate(SALTS)},
                **(restoration.secrets if restoration else {}),
            },
            timeout=RESTORE_TIMEOUT if restoration else 900,
            opts=pulumi.ResourceOptions(parent=self, depends_on=[code, *args.php, *database.reachable, *dump.copied]),
        )
        for node in args.cron:
            node.run(
                "wordpress-cron",
                HERE / "cron.sh",
                params={
                    "SERVICE": render(HERE / "wordpress-cron.service", ROOT=args.root),
                    "TIMER": (HERE / "wordpress-cron.timer").read_text(),
                },
                opts=pulumi.ResourceOptions(parent=self, depends_on=[self.installed]),
            )
        self.register_outputs({})

    def _code(self, args: WordPressArgs) -> pulumi.Resource:
        """Add the step that copies WordPress's code, with the steps that bring its source; returns it."""
        site, host, imported = args.site, args.host, args.site.import_
        files = self._upload(host, "import-files", imported.files if imported else None)
        accepted = {"ACCEPTED": "yes" if imported and imported.accept_lost_htaccess else ""}
        code_depends_on = [args.mounted, *files.copied]
        if imported and imported.directory:
            checked = host.run(
                "wordpress-htaccess",
                HERE / "htaccess.sh",
                params={"DIRECTORY": imported.directory, **accepted},
                opts=pulumi.ResourceOptions(parent=self),
            )
            migration = DirectoryMigration(
                "site",
                DirectoryMigrationArgs(
                    host, imported.directory, args.root, aside=True, depends_on=[args.mounted, checked]
                ),
                opts=pulumi.ResourceOptions(parent=self),
            )
            code_depends_on.append(migration.step)
        return host.run(
            "wordpress-code",
            HERE / "code.sh",
            params={
                "ROOT": args.root,
                "IMPORT": files.path,
                "IMPORT_SHA256": files.sha256,
                "ARCHIVE_URL": site.archive.url if site.archive else "",
                "ARCHIVE_SHA256": site.archive.sha256 if site.archive else "",
                "HTACCESS": (HERE / "htaccess.sh").read_text(),
                **accepted,
            },
            timeout=900,
            opts=pulumi.ResourceOptions(parent=self, depends_on=code_depends_on),
        )

    def _upload(self, host: RemoteHost, step: str, source: Path | None) -> Upload:
        """Copy a local file to the node, by a resource called `step`."""
        if source is None:
            return Upload()
        with source.open("rb") as content:
            sha256 = hashlib.file_digest(content, "sha256").hexdigest()
        path, copied = host.copy(step, source, opts=pulumi.ResourceOptions(parent=self))
        return Upload(path, sha256, [copied])


def smtp_params(smtp: settings.Smtp | None) -> dict[str, str]:
    """The parameters of site.sh that name the mail server; empty texts without one."""
    if smtp is None:
        return dict.fromkeys(("SMTP_HOST", "SMTP_PORT", "SMTP_USER", "SMTP_FROM"), "")
    return {
        "SMTP_HOST": smtp.host,
        "SMTP_PORT": str(smtp.port),
        "SMTP_USER": smtp.user,
        "SMTP_FROM": smtp.from_ or "",
    }
