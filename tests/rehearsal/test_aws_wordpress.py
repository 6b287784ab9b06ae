"""The drill of the stack aws-wordpress, with the loss of one node, and without machines that are lost for good."""

from __future__ import annotations

from pathlib import Path

from rehearsal.drills.attacks.deletion import Deletion
from rehearsal.drills.wordpress import MACHINE_CHANGE
from tests.rehearsal.drill import (
    ATTACKS,
    PING_TIMEOUT,
    WORDPRESS,
    assert_that_a_brick_was_lost,
    assert_that_a_flood_came_past_the_cache,
    assert_that_a_flood_was_survived,
    assert_that_https_was_checked,
    assert_that_machines_changed,
    assert_that_services_were_killed,
    assert_that_the_site_was_restored,
    drilled,
)


def test_aws_wordpress(tmp_path: Path) -> None:
    lost = "gfs1 loses power"
    report, faults = drilled("aws-wordpress", tmp_path, *WORDPRESS, *ATTACKS, lost, MACHINE_CHANGE, Deletion.name)
    assert faults.keys() == {
        *ATTACKS, lost, MACHINE_CHANGE, Deletion.name, "the database fails over", "all nodes reboot at once",
        "all nodes lose power at once",
    }  # fmt: skip
    assert "aws:ec2/instance:Instance" in report["stand_ins"]
    assert_that_a_flood_was_survived(faults["flood"])
    assert_that_a_flood_came_past_the_cache(faults["flood past the cache"])
    assert_that_services_were_killed(faults["killed services"])
    assert_that_https_was_checked(report)
    assert_that_a_brick_was_lost(faults[lost])
    assert_that_machines_changed(faults[MACHINE_CHANGE])
    assert_that_the_site_was_restored(faults[Deletion.name])
    assert faults["the database fails over"]["write_outage_seconds"] < PING_TIMEOUT
    for fault in ("all nodes reboot at once", "all nodes lose power at once"):
        assert faults[fault]["page_outage_seconds"] > 1
