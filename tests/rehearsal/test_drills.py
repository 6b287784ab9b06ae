"""Every stack's whole drill, one after the other: two at once would be the load that they measure."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any

import pytest

from rehearsal.outside import lab_of
from rehearsal.residue import residue
from tests.rehearsal.command import rehearse

pytestmark = pytest.mark.skipif(
    os.geteuid() != 0 and "CI" not in os.environ, reason="a rehearsal boots machines: run as root"
)

Fault = dict[str, Any]


def drilled(stack: str, directory: Path) -> tuple[dict[str, Any], list[Fault]]:
    """The report of a drill that held every promise, and its faults."""
    done = rehearse("drill", stack, "--json", str(directory / "report.json"))
    assert done.returncode == 0, done.stdout + done.stderr

    report = json.loads((directory / "report.json").read_text())
    assert report["stack"] == stack
    assert report["second_up_changes"] == 0
    assert report["critical_path_seconds"] == pytest.approx(sum(s["seconds"] for s in report["critical_path"]), abs=0.1)
    assert report["critical_path_seconds"] <= report["up_seconds"]
    assert [promise["name"] for promise in report["promises"] if not promise["held"]] == []
    for fault in report["faults"]:
        if fault["acknowledged_writes"] is not None:
            assert fault["lost_acknowledged_writes"] == 0
            assert fault["acknowledged_writes"] > 0

    *shown, _, _ = done.stdout.splitlines()
    assert max(map(len, shown)) <= 80
    paths = [Path(line) for line in done.stdout.splitlines()[-2:]]
    assert [path.name for path in paths] == ["report.json", "report.html"]
    assert re.findall(r'(?:src|href)="(?!#)[^"]*"|@import|url\(', paths[1].read_text()) == []
    assert residue(lab_of(stack)) == []
    return report, report["faults"]


def assert_that_a_brick_was_lost(fault: Fault) -> None:
    # a silent node is given up after one ping timeout of 3 s at the earliest: less would mean that nothing was lost
    assert 2 < fault["write_outage_seconds"] <= 8
    assert fault["page_outage_seconds"] <= 12
    assert fault["heal_seconds"] > 0


def assert_that_a_flood_was_borne(fault: Fault) -> None:
    assert fault["name"] == "flood"
    # counting and telling takes its time: none would mean that bans were there before
    assert 0.01 < fault["ban_seconds"] <= 5
    assert (fault["innocent_failures"], fault["php_hits_after_ban"], fault["wrong_bans"]) == (0, 0, 0)
    assert fault["cached_pages_per_second"] >= 50 * fault["uncached_pages_per_second"] > 0
    assert 0 < fault["cached_p99_ms"] < 5


def test_aws_wordpress(tmp_path: Path) -> None:
    report, (flood, loss, failover, reboot) = drilled("aws-wordpress", tmp_path)
    assert_that_a_flood_was_borne(flood)
    assert "aws:ec2/instance:Instance" in report["stand_ins"]
    assert_that_a_brick_was_lost(loss)
    assert failover["write_outage_seconds"] < 2
    assert reboot["page_outage_seconds"] > 1


def test_digitalocean_wordpress(tmp_path: Path) -> None:
    report, (flood, first, second, arbiter, web, failover, reboot) = drilled("digitalocean-wordpress", tmp_path)
    assert_that_a_flood_was_borne(flood)
    assert "digitalocean:index/droplet:Droplet" in report["stand_ins"]
    for storage in (first, second, arbiter):
        assert_that_a_brick_was_lost(storage)
    # it holds no brick: nobody's files wait for it
    assert web["write_outage_seconds"] < 2
    assert failover["write_outage_seconds"] < 2
    assert reboot["page_outage_seconds"] > 1


def test_php_sessions(tmp_path: Path) -> None:
    report, (balancer, web, flaps, reboot) = drilled("php-sessions", tmp_path)
    assert any("existing machines" in stand_in for stand_in in report["stand_ins"])
    assert_that_a_brick_was_lost(balancer)
    # keepalived gives it up after three seconds without a word: much less would mean that it took its leave
    assert 1.5 < balancer["address_outage_seconds"] <= 5
    assert web["address_outage_seconds"] < 2
    for fault in (balancer, web, flaps, reboot):
        # a reboot of all leaves a dozen visitors some two visits each
        assert fault["visits"] > 10
        assert (fault["lost_visits"], fault["lost_sessions"]) == (0, 0)
    assert reboot["page_outage_seconds"] > 1


def test_existing_apache(tmp_path: Path) -> None:
    report, (move, loss, reboot) = drilled("existing-apache", tmp_path)
    assert any("existing machines" in stand_in for stand_in in report["stand_ins"])
    # Apache was stopped, and not for long
    assert 0.3 < move["page_outage_seconds"] <= 10
    assert_that_a_brick_was_lost(loss)
    assert reboot["page_outage_seconds"] > 1
