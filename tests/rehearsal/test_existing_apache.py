"""The whole drill of the stack existing-apache."""

from __future__ import annotations

from pathlib import Path

from tests.rehearsal.drill import assert_that_a_brick_was_lost, drilled


def test_existing_apache(tmp_path: Path) -> None:
    report, (move, loss, reboot) = drilled("existing-apache", tmp_path)
    assert any("existing machines" in stand_in for stand_in in report["stand_ins"])
    # Apache was stopped, and not for long
    assert 0.3 < move["page_outage_seconds"] <= 10
    assert_that_a_brick_was_lost(loss)
    assert reboot["page_outage_seconds"] > 1
