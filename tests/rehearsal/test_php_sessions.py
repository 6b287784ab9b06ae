"""The whole drill of the stack php-sessions."""

from __future__ import annotations

from pathlib import Path

from tests.rehearsal.drill import assert_that_a_brick_was_lost, drilled


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
