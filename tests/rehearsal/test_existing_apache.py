"""The drill of the stack existing-apache, with the loss of its first machine for good."""

from __future__ import annotations

from pathlib import Path

from tests.rehearsal.drill import TOLERANCE, assert_that_a_brick_was_lost, assert_that_a_machine_was_replaced, drilled


def test_existing_apache(tmp_path: Path) -> None:
    losses = ("server01 loses power", "all nodes reboot at once", "all nodes lose power at once")
    gone = "server01 and its disk are gone"
    report, faults = drilled("existing-apache", tmp_path, "ports", *losses, gone)
    migration = "the site migrates onto the volume"
    assert faults.keys() == {migration, *losses, gone}
    assert any("existing machines" in stand_in for stand_in in report["stand_ins"])
    # the migration stops Apache for a short time; no outage would mean that no visitor was measured
    assert 0.3 < faults[migration]["page_outage_seconds"] <= TOLERANCE * 10
    assert_that_a_brick_was_lost(faults["server01 loses power"])
    assert_that_a_machine_was_replaced(faults[gone])
    assert faults["all nodes reboot at once"]["page_outage_seconds"] > 1
