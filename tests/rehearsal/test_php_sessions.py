"""The drill of the stack php-sessions, without the machines that are lost for good."""

from __future__ import annotations

from pathlib import Path

from tests.rehearsal.drill import PING_TIMEOUT, TOLERANCE, assert_that_a_brick_was_lost, drilled


def test_php_sessions(tmp_path: Path) -> None:
    acme, web, newest = "certificates by ACME", "php1 loses power", "newest copy returns last"
    away, reboot, power = "a brick is away", "all nodes reboot at once", "all nodes lose power at once"
    report, faults = drilled(
        "php-sessions", tmp_path, power, "ports", "HTTPS", acme, "active balancer loses power", web, "killed services",
        "link flaps", newest, away, reboot,
    )  # fmt: skip
    # either balancer may have the address at first, and after the kills
    [balancer] = faults.keys() & {"lb1 loses power", "lb2 loses power"}
    [flaps] = faults.keys() & {"lb1's link flaps", "lb2's link flaps"}
    kills = faults.pop("killed services")
    assert faults.keys() == {power, acme, balancer, web, flaps, newest, away, reboot}
    assert 0 < kills["slowest_return_seconds"] <= TOLERANCE * 5
    assert any("existing machines" in stand_in for stand_in in report["stand_ins"])
    assert any("the certificate of www." in stand_in for stand_in in report["stand_ins"])
    assert any("Pebble" in stand_in for stand_in in report["stand_ins"])
    assert {"HTTP redirects to HTTPS", "certificate checked: a wrong name is refused"} <= {
        check["name"] for check in report["checks"]
    }
    assert_that_a_brick_was_lost(faults[balancer])
    # keepalived takes over after 3 s without an advertisement; much less would mean that the balancer shut down cleanly
    assert 1.5 < faults[balancer]["address_outage_seconds"] <= TOLERANCE * 5
    assert faults[web]["address_outage_seconds"] < PING_TIMEOUT
    for fault in faults.values():
        # ten visitors have about two visits each while all nodes boot
        assert fault["visits"] > 10
        assert (fault["lost_visits"], fault["lost_sessions"]) == (0, 0)
    for name in (newest, power, reboot):
        assert faults[name]["page_outage_seconds"] > 1
