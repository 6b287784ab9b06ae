"""The drill of the stack digitalocean-wordpress, with the loss of one machine for good.

Of the attacks it has those that the web nodes' place apart from the bricks changes; aws-wordpress has all.
"""

from __future__ import annotations

from pathlib import Path

from tests.rehearsal.drill import (
    PING_TIMEOUT,
    WORDPRESS,
    assert_that_a_brick_was_lost,
    assert_that_a_flood_was_survived,
    assert_that_a_machine_was_replaced,
    assert_that_https_was_checked,
    assert_that_services_were_killed,
    drilled,
)


def test_digitalocean_wordpress(tmp_path: Path) -> None:
    attacks = ("flood", "compromised PHP", "killed services")
    storage, web, gone = "gfs1 loses power", "app1 loses power", "app1 is gone"
    report, faults = drilled("digitalocean-wordpress", tmp_path, *WORDPRESS, *attacks, storage, web, gone)
    assert faults.keys() == {
        *attacks, storage, web, gone, "the database fails over", "all nodes reboot at once",
        "all nodes lose power at once",
    }  # fmt: skip
    assert "digitalocean:index/droplet:Droplet" in report["stand_ins"]
    assert_that_a_flood_was_survived(faults["flood"])
    assert_that_services_were_killed(faults["killed services"])
    assert_that_https_was_checked(report)
    assert_that_a_brick_was_lost(faults[storage])
    assert_that_a_machine_was_replaced(faults[gone])
    # app1 has no brick, so its loss stops no write
    assert faults[web]["write_outage_seconds"] < PING_TIMEOUT
    assert faults["the database fails over"]["write_outage_seconds"] < PING_TIMEOUT
    for fault in ("all nodes reboot at once", "all nodes lose power at once"):
        assert faults[fault]["page_outage_seconds"] > 1
