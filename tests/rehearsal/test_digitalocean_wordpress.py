"""The whole drill of the stack digitalocean-wordpress."""

from __future__ import annotations

from pathlib import Path

from tests.rehearsal.drill import assert_that_a_brick_was_lost, assert_that_a_flood_was_borne, drilled


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
