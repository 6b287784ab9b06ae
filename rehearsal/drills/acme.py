"""Certificates that the site's own balancers obtain by ACME."""

from __future__ import annotations

import time
from collections.abc import Sequence

from rehearsal.region.control import RegionControl
from rehearsal.report.model import Check
from rehearsal.system.shell import ToolError, run

OBTAIN_LIMIT = 30.0
"""Seconds in which each balancer must obtain its certificate, once its domain leads to the site."""


def acme_stand_in(directory: str) -> str:
    """The line for the report's list of stand-ins. `directory`: address of the directory of the real authority."""
    return f"the authority with the directory {directory}: Pebble, an ACME server for tests"


def certificates_check(control: RegionControl, balancers: Sequence[str], fault: str | None = None) -> Check:
    """Let each balancer obtain its certificate now, not at its timer's next time, and check that it serves it.

    `fault`: the name of the fault that the check belongs to.
    """
    begun, errors = time.monotonic(), []
    for node in balancers:
        prefix = control.exec_prefix(node)
        try:
            run(*prefix, "systemctl", "start", "site-certificate", timeout=120)
        except ToolError:
            run(*prefix, "journalctl", "--sync")
            log = run(*prefix, "journalctl", "--unit=site-certificate", "--lines=5", "--output=cat")
            errors.append(f"{node}: {' '.join(log.split())}")
    seconds = time.monotonic() - begun
    return Check(
        fault=fault,
        name="every balancer obtains a certificate",
        passed=not errors and seconds <= OBTAIN_LIMIT,
        measured="; ".join(errors) or f"{seconds:.1f} s",
        limit=f"<= {OBTAIN_LIMIT:.0f} s",
    )
