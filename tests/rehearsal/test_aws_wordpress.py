"""The drill of the stack aws-wordpress, with the loss of one machine for good and a change of all."""

from __future__ import annotations

from pathlib import Path

from tests.rehearsal.drill import (
    ATTACKS,
    PING_TIMEOUT,
    WORDPRESS,
    assert_that_a_brick_was_lost,
    assert_that_a_flood_was_survived,
    assert_that_a_machine_was_replaced,
    assert_that_https_was_checked,
    assert_that_the_attacks_were_made,
    drilled,
)


def test_aws_wordpress(tmp_path: Path) -> None:
    gone, changed = "gfs1 is gone", "machines change their type"
    report, faults = drilled("aws-wordpress", tmp_path, *WORDPRESS, "gfs1 loses power", gone, changed)
    assert faults.keys() == {
        *ATTACKS, "gfs1 loses power", gone, changed, "the database fails over", "all nodes reboot at once",
        "all nodes lose power at once",
    }  # fmt: skip
    assert "aws:ec2/instance:Instance" in report["stand_ins"]
    assert_that_a_flood_was_survived(faults["flood"])
    assert_that_https_was_checked(report)
    assert_that_the_attacks_were_made(faults)
    assert_that_a_brick_was_lost(faults["gfs1 loses power"])
    assert_that_a_brick_was_lost(faults[gone])
    assert_that_a_machine_was_replaced(faults[gone])
    assert faults["the database fails over"]["write_outage_seconds"] < PING_TIMEOUT
    for fault in ("all nodes reboot at once", "all nodes lose power at once"):
        assert faults[fault]["page_outage_seconds"] > 1
