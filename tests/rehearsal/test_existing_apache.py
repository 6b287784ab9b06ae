"""The drill of the stack existing-apache, without the machines that are lost for good."""

from __future__ import annotations

from pathlib import Path

from tests.rehearsal.drill import TOLERANCE, assert_that_a_brick_was_lost, drilled


def test_existing_apache(tmp_path: Path) -> None:
    losses = ("server01 loses power", "all nodes reboot at once", "all nodes lose power at once")
    report, faults = drilled("existing-apache", tmp_path, "ports", *losses)
    migration = "the site migrates onto the volume"
    assert faults.keys() == {migration, *losses}
    assert any("existing machines" in stand_in for stand_in in report["stand_ins"])
    # the migration stops Apache for a short time; no outage would mean that no visitor was measured
    assert 0.3 < faults[migration]["page_outage_seconds"] <= TOLERANCE * 10
    assert_that_a_brick_was_lost(faults["server01 loses power"])
    assert faults["all nodes reboot at once"]["page_outage_seconds"] > 1
