"""Which failed checks of a drill the tests of drills accept."""

from __future__ import annotations

import pytest

from tests.rehearsal.drill import within_tolerance


@pytest.mark.parametrize(
    ("name", "measured", "limit", "accepted"),
    [
        ("write outage", "24.0 s", "<= 8 s", True),
        ("write outage", "24.1 s", "<= 8 s", False),
        ("write outage", "not measured", "<= 8 s", False),
        ("99th percentile of cached pages", "14.9 ms", "< 5 ms", True),
        ("99th percentile of cached pages", "15.1 ms", "< 5 ms", False),
        ("cached to uncached pages per second", "17x", ">= 50x", True),
        ("cached to uncached pages per second", "16x", ">= 50x", False),
        ("legitimate requests slower than 2 s", "11 of 1,116", "0", True),
        ("lost acknowledged writes", "1 of 122", "0", False),
        ("unban reaches every node", "2.0 s, then status 429", "<= 5 s", False),
    ],
)
def test_only_a_time_may_exceed_its_limit_and_only_so_far(name: str, measured: str, limit: str, accepted: bool) -> None:
    check = {"fault": None, "name": name, "passed": False, "measured": measured, "limit": limit}
    assert within_tolerance(check) is accepted
