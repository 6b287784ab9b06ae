"""The check of a node, and the mail about what it finds."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pulumi

from components.config.certificate import RENEW_BEFORE
from components.config.settings import Smtp
from components.machine.remote import PRELUDE, RESTART, RemoteHost
from components.machine.template import render
from components.roll.nodes import CHECK, Duties

HERE = Path(__file__).parent

PORT = 9100
"""TCP port at which Prometheus fetches a node's figures."""

EVERY = 30
"""Seconds between the end of a check and the next one."""

LASTING = 300
"""Seconds that a trouble lasts before it is mailed."""

FULL = 90
"""Percent of a disk's space, or of its inodes, from which on it counts as full."""

IMPLICIT_TLS = 465
"""Port with TLS from the first byte (RFC 8314); on any other, msmtp demands STARTTLS."""


@dataclass(frozen=True)
class Alarms:
    """The mail about troubles.

    `stack`: name in the subject. `sender`, `recipient`: e-mail addresses. `smtp`: the server that takes the mail.
    """

    stack: str
    sender: str
    recipient: str
    smtp: Smtp


@dataclass(frozen=True)
class WatchArgs:
    """One node."""

    host: RemoteHost
    """The node."""
    host_name: str
    """Its own name among the bricks."""
    address: pulumi.Input[str]
    """Its private address, at which it shows its figures."""
    duties: Duties
    """Its part in the site."""
    brick: str
    """Directory of its brick; empty without one."""
    alarms: Alarms
    """The mail about troubles."""
    password: str
    """Password for the mail server, secret."""
    depends_on: Sequence[pulumi.Resource]
    """Resources to wait for: the site is installed."""


class Watch(pulumi.ComponentResource):
    """A timer that checks a node, writes its figures for Prometheus and mails troubles that last (one step)."""

    def __init__(self, name: str, args: WatchArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("ha-wordpress:watch:Watch", name, None, opts)
        self.step = args.host.run(
            "watch",
            HERE / "watch.sh",
            params={
                **watch_params(args.host_name, args.duties, args.brick, args.alarms),
                "LISTEN": pulumi.Output.format("{0}:{1}", args.address, PORT),
            },
            secrets={"SMTP_PASSWORD": args.password},
            timeout=300,
            opts=pulumi.ResourceOptions(parent=self, depends_on=args.depends_on),
        )
        self.register_outputs({})


def watch_params(
    host_name: str,
    duties: Duties,
    brick: str,
    alarms: Alarms,
    *,
    every: int = EVERY,
    lasting: int = LASTING,
    full: int = FULL,
) -> dict[str, str]:
    """Parameters of watch.sh, except LISTEN.

    `host_name`, `duties`, `brick`, `alarms`: the fields of `WatchArgs`. `every`, `lasting`, `full`: as the constants of
    those names.
    """
    smtp = alarms.smtp
    return {
        "CHECK": PRELUDE.read_text() + CHECK.read_text(),
        "PROGRAM": render(
            HERE / "site-watch.sh",
            HOST=host_name,
            VOLUME=duties.volume,
            BRICK=brick,
            URLS=shlex.quote("\n".join(duties.urls)),
            FROM=shlex.quote(alarms.sender),
            TO=shlex.quote(alarms.recipient),
            STACK=alarms.stack,
            LASTING=lasting,
            FULL=full,
            CERTIFICATE_DAYS=RENEW_BEFORE.days,
        ),
        "SERVICE": (HERE / "site-watch.service").read_text(),
        "TIMER": render(HERE / "site-watch.timer", EVERY=every),
        "RESTART": RESTART.read_text(),
        "MSMTP": render(
            HERE / "msmtp.conf",
            HOST=smtp.host,
            PORT=smtp.port,
            STARTTLS="off" if smtp.port == IMPLICIT_TLS else "on",
            USER=smtp.user,
            FROM=alarms.sender,
        ),
    }
