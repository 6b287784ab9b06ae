"""Backups of a site's files and database, by restic, in object storage."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pulumi

from components.cloud.interface import Bucket
from components.config import settings
from components.machine.remote import RemoteHost
from components.machine.template import render

HERE = Path(__file__).parent

HOME = "/var/lib/ha-wordpress/backup"
"""Directory of restic's cache, and of the database's dump while a backup or a restoration runs."""

SECRETS = "/etc/ha-wordpress/site-backup"
"""File with the repository's and the database's logins, which only root can read."""


@dataclass(frozen=True)
class BackupArgs:
    """The backups of one site."""

    hosts: Sequence[RemoteHost]
    """The nodes that mount the document root; one of them at a time makes a backup."""
    root: str
    """The document root."""
    settings: settings.Backup
    """The times, and how many backups are kept."""
    bucket: Bucket
    """The bucket, of this site alone."""
    password: str
    """Password that encrypts the repository."""
    database: str
    """Name of the database."""
    database_host: pulumi.Input[str]
    """The database's address and port, with a colon between them."""
    database_user: pulumi.Input[str]
    """The site's own user of the database, which needs no rights beyond it."""
    database_password: pulumi.Input[str]
    """Password of that user, secret."""
    depends_on: Sequence[pulumi.Resource]
    """Resources to wait for: the site is installed."""


@dataclass(frozen=True)
class Restoration:
    """A backup that a new site begins with. The step that makes the site calls site-backup.sh's `begin_with`."""

    moment: str
    """`latest` or a time: the last backup before it."""
    params: Mapping[str, pulumi.Input[str]]
    """Parameters of that step (`program_params`, `repository_params`)."""
    secrets: Mapping[str, pulumi.Input[str]]
    """Secrets of that step (`repository_secrets`)."""


class Backup(pulumi.ComponentResource):
    """A timer for backups and the command `site-restore` on every node; a step for each.

    The first node's step makes the repository, so the others wait for it.
    """

    def __init__(self, name: str, args: BackupArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("ha-wordpress:backup:Backup", name, None, opts)
        bucket = args.bucket
        depends_on = [*args.depends_on, *bucket.usable]
        first = len(depends_on)
        for host in args.hosts:
            step = host.run(
                "backup",
                HERE / "backup.sh",
                params={
                    **backup_params(args.root, args.settings),
                    **repository_params(bucket),
                    "ACCESS_DELAY": str(bucket.access_delay),
                    "DB_HOST": args.database_host,
                    "DB_NAME": args.database,
                    "DB_USER": args.database_user,
                },
                secrets={**repository_secrets(bucket, args.password), "DB_PASSWORD": args.database_password},
                timeout=300,
                opts=pulumi.ResourceOptions(parent=self, depends_on=depends_on),
            )
            if len(depends_on) == first:
                depends_on.append(step)
        self.register_outputs({})


def program_params(root: str, backup: settings.Backup) -> dict[str, str]:
    """Parameters of a step that runs site-backup.sh, except those of the bucket and the database.

    `root`: the document root.
    """
    keep = backup.keep
    return {
        "HOME_DIRECTORY": HOME,
        "SCRIPT": render(
            HERE / "site-backup.sh", ROOT=root, HOME=HOME, DAILY=keep.daily, WEEKLY=keep.weekly, MONTHLY=keep.monthly
        ),
    }


def backup_params(root: str, backup: settings.Backup) -> dict[str, str]:
    """Parameters of backup.sh, except those of the bucket and the database. `root`: the document root."""
    return {
        **program_params(root, backup),
        "COMMAND": render(HERE / "site-restore.sh", ROOT=root, SECRETS=SECRETS),
        "SERVICE": render(HERE / "site-backup.service", ROOT=root, SECRETS=SECRETS),
        "TIMER": render(HERE / "site-backup.timer", AT=backup.at),
    }


def repository_params(bucket: Bucket) -> dict[str, pulumi.Input[str]]:
    """Parameters of a step that runs site-backup.sh: restic's repository in a bucket."""
    key = bucket.access_key
    return {
        "RESTIC_REPOSITORY": pulumi.Output.format("s3:{0}", bucket.url),
        **({"AWS_ACCESS_KEY_ID": key.id} if key else {}),
    }


def repository_secrets(bucket: Bucket, password: str) -> dict[str, pulumi.Input[str]]:
    """Secrets of such a step. `password`: encrypts the repository."""
    key = bucket.access_key
    return {"RESTIC_PASSWORD": password, **({"AWS_SECRET_ACCESS_KEY": key.secret} if key else {})}
