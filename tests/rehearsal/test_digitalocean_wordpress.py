"""The drill of the stack digitalocean-wordpress, with the loss of one machine for good."""

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

STORAGE = ("gfs1", "gfs2", "gfs3")


def test_digitalocean_wordpress(tmp_path: Path) -> None:
    losses, gone = {f"{node} loses power" for node in (*STORAGE, "app1")}, "app1 is gone"
    report, faults = drilled("digitalocean-wordpress", tmp_path, *WORDPRESS, *losses, gone)
    assert faults.keys() == {
        *ATTACKS, *losses, gone, "the database fails over", "all nodes reboot at once", "all nodes lose power at once"
    }  # fmt: skip
    assert "digitalocean:index/droplet:Droplet" in report["stand_ins"]
    assert_that_a_flood_was_survived(faults["flood"])
    assert_that_https_was_checked(report)
    assert_that_the_attacks_were_made(faults)
    for node in STORAGE:
        assert_that_a_brick_was_lost(faults[f"{node} loses power"])
    assert_that_a_machine_was_replaced(faults[gone])
    # app1 has no brick, so its loss stops no write
    assert faults["app1 loses power"]["write_outage_seconds"] < PING_TIMEOUT
    assert faults["the database fails over"]["write_outage_seconds"] < PING_TIMEOUT
    for fault in ("all nodes reboot at once", "all nodes lose power at once"):
        assert faults[fault]["page_outage_seconds"] > 1
