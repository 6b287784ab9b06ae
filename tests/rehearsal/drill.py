"""A stack's drill, and the assertions that every such test shares.

Of the machines that are lost for good, a test takes one at most, and `make drill` takes all.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from rehearsal.drills.base import POWER_LOSS_OF_ALL, REBOOT_OF_ALL
from rehearsal.session.launcher import sandbox_of
from rehearsal.session.leaks import leaks
from tests.rehearsal.command import rehearse

FaultResult = dict[str, Any]

ATTACKS = (
    "flood", "flood past the cache", "compromised PHP", "third-party page", "temporary names", "killed services"
)  # fmt: skip
"""The attacks in the drill of every WordPress site."""
WORDPRESS = (
    POWER_LOSS_OF_ALL, "ports", "HTTPS", "upload", "post", "the database fails over", REBOOT_OF_ALL, "refused destroy"
)  # fmt: skip
"""The short parts of that drill, beside the attacks and the losses of single nodes."""

TOLERANCE = 3
"""How many times its limit a time may take here, on a loaded machine; a rehearsal's exit status judges the limit."""
PING_TIMEOUT = 3
"""Seconds until a client gives a silent brick up: an outage that a lost brick causes takes at least that long."""
MEASURED = re.compile(r"([\d.]+) ?(s|ms|x)")
LIMIT = re.compile(r"(<=|<|>=) ([\d.]+) ?(s|ms|x)")
SLOW = "legitimate requests slower than"


def within_tolerance(check: dict[str, Any]) -> bool:
    """Whether a check passed, or failed by a time that a loaded machine explains."""
    if check["passed"] or check["name"].startswith(SLOW):
        return True
    measured, limit = MEASURED.fullmatch(check["measured"]), LIMIT.fullmatch(check["limit"])
    if not (measured and limit):
        return False
    figure, allowed = float(measured[1]), float(limit[2])
    return figure * TOLERANCE >= allowed if limit[1] == ">=" else figure <= allowed * TOLERANCE


def drilled(stack: str, directory: Path, *parts: str) -> tuple[dict[str, Any], dict[str, FaultResult]]:
    """Run parts of a stack's drill; every check must pass within `TOLERANCE`.

    Returns its report, and its faults by name.
    """
    only = [word for part in parts for word in ("--faults", part)]
    done = rehearse("drill", stack, "--json", str(directory / "report.json"), *only, timeout=1200)
    assert (directory / "report.json").exists(), done.stdout + done.stderr

    report = json.loads((directory / "report.json").read_text())
    assert [check for check in report["checks"] if not within_tolerance(check)] == [], done.stdout + done.stderr
    assert done.returncode == int(not all(check["passed"] for check in report["checks"]))
    assert report["stack"] == stack
    assert report["second_up_changes"] == 0
    assert report["critical_path_seconds"] == pytest.approx(sum(s["seconds"] for s in report["critical_path"]), abs=0.1)
    assert report["critical_path_seconds"] <= report["up_seconds"]
    faults = {fault["name"]: fault for fault in report["faults"]}
    assert {check["fault"] for check in report["checks"]} == {None, *faults}
    for fault in faults.values():
        if fault["acknowledged_writes"] is not None:
            assert fault["lost_acknowledged_writes"] == 0
            assert fault["acknowledged_writes"] > 0

    *shown, _, _ = done.stdout.splitlines()
    assert max(map(len, shown)) <= 80
    paths = [Path(line) for line in done.stdout.splitlines()[-2:]]
    assert [path.name for path in paths] == ["report.json", "report.html"]
    assert re.findall(r'(?:src|href)="(?!#)[^"]*"|@import|url\(', paths[1].read_text()) == []
    assert leaks(sandbox_of(stack)) == []
    return report, faults


def assert_that_a_brick_was_lost(fault: FaultResult) -> None:
    # clients wait for a silent brick for one ping timeout; a much shorter outage would mean that no brick was lost
    assert 2 < fault["write_outage_seconds"] <= TOLERANCE * 8
    assert fault["page_outage_seconds"] <= TOLERANCE * 12
    assert fault["heal_seconds"] > 0


def assert_that_a_machine_was_replaced(fault: FaultResult) -> None:
    # the new machine boots during the `up`, which takes longer than this; the heal follows
    assert 5 < fault["up_seconds"] < fault["full_redundancy_seconds"]


def assert_that_machines_changed(fault: FaultResult) -> None:
    # each machine boots anew
    assert fault["up_seconds"] > 10
    assert fault["acknowledged_writes"] > 50


def assert_that_the_site_was_restored(fault: FaultResult) -> None:
    assert 0 < fault["backup_seconds"] < fault["data_lost_seconds"]
    assert 0 < fault["restore_seconds"] < fault["serves_again_seconds"]
    # without the files and tables no page is served
    assert fault["page_outage_seconds"] > 1


def assert_that_https_was_checked(report: dict[str, Any]) -> None:
    names = {check["name"] for check in report["checks"]}
    assert {"HTTPS required of browsers", "HTTP redirects to HTTPS"} <= names
    assert "certificate checked: a wrong name is refused" in names


def assert_that_a_flood_was_survived(fault: FaultResult) -> None:
    # a ban takes time; none would mean that the address was banned before the flood
    assert 0.01 < fault["ban_seconds"] <= TOLERANCE * 5
    assert (fault["legitimate_failures"], fault["php_hits_after_ban"], fault["wrong_bans"]) == (0, 0, 0)
    assert TOLERANCE * fault["cached_pages_per_second"] >= 50 * fault["uncached_pages_per_second"] > 0
    assert 0 < fault["cached_p99_ms"] < TOLERANCE * 5


def assert_that_a_flood_came_past_the_cache(fault: FaultResult) -> None:
    # the checks judge the effects; a flood without an answer would have had none
    assert fault["flood_answers"] >= fault["flood_answers_429"] > 0
    assert fault["login_page_before_seconds"] > 0


def assert_that_services_were_killed(fault: FaultResult) -> None:
    # kills that no visitor met would have had no effect
    assert fault["pages"] > 10
    assert 0 < fault["slowest_return_seconds"] <= TOLERANCE * 5
