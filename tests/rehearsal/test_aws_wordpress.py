"""The whole drill of the stack aws-wordpress."""

from __future__ import annotations

from pathlib import Path

from tests.rehearsal.drill import assert_that_a_brick_was_lost, assert_that_a_flood_was_borne, drilled


def test_aws_wordpress(tmp_path: Path) -> None:
    report, (flood, loss, failover, reboot) = drilled("aws-wordpress", tmp_path)
    assert_that_a_flood_was_borne(flood)
    assert "aws:ec2/instance:Instance" in report["stand_ins"]
    assert_that_a_brick_was_lost(loss)
    assert failover["write_outage_seconds"] < 2
    assert reboot["page_outage_seconds"] > 1
