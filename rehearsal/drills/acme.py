"""Certificates that the site's own balancers obtain by ACME."""

from __future__ import annotations

import time
from collections.abc import Sequence

from components.haproxy.haproxy import HTTPS_PORT
from rehearsal.region.control import RegionControl
from rehearsal.report.model import Check
from rehearsal.system.shell import ToolError, run

OBTAIN_LIMIT = 30.0
"""Seconds in which each balancer must obtain its certificate, once its domain leads to the site."""
AUTHORITY = "Pebble"
"""Part of the name of every issuer in the stand-in's certificates."""


def acme_stand_in(directory: str) -> str:
    """The line for the report's list of stand-ins. `directory`: address of the directory of the real authority."""
    return f"the authority with the directory {directory}: Pebble, an ACME server for tests"


def certificates_check(
    control: RegionControl, balancers: Sequence[str], domain: str, fault: str | None = None
) -> Check:
    """Let each balancer obtain its certificate now, not at its timer's next time, and check that visitors get it.

    `domain`: the site's. `fault`: the name of the fault that the check belongs to.
    """
    begun, errors = time.monotonic(), []
    for node in balancers:
        prefix = control.exec_prefix(node)
        try:
            run(*prefix, "systemctl", "start", "site-certificate", timeout=120)
        except ToolError:
            run(*prefix, "journalctl", "--sync")
            # what the script and uacme say, not what systemd says of them
            shown = ["--unit=site-certificate", "_TRANSPORT=stdout", "--lines=20", "--output=cat"]
            log = run(*prefix, "journalctl", *shown)
            errors.append(f"{node}: {' '.join(log.split())}")
            continue
        if AUTHORITY not in (issuer := served_issuer(prefix, domain)):
            errors.append(f"{node} serves a certificate of {issuer or 'no authority'}, not of {AUTHORITY}")
    seconds = time.monotonic() - begun
    return Check(
        fault=fault,
        name="every balancer obtains a certificate",
        passed=not errors and seconds <= OBTAIN_LIMIT,
        measured="; ".join(errors) or f"{seconds:.1f} s",
        limit=f"<= {OBTAIN_LIMIT:.0f} s",
    )


def served_issuer(prefix: Sequence[str], domain: str) -> str:
    """The issuer of the certificate that a balancer serves; empty if it serves none.

    `prefix`: command prefix that runs on the balancer.
    """
    shown = f"openssl s_client -connect 127.0.0.1:{HTTPS_PORT} -servername {domain} </dev/null 2>/dev/null"
    issuer = run(*prefix, "sh", "-c", f"{shown} | openssl x509 -noout -issuer 2>/dev/null || true")
    return issuer.strip().removeprefix("issuer=")
