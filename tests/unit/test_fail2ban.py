"""Bans: what a machine is told, and that nodes which have seen the same facts agree.

What fail2ban itself makes of the filter and the jails is asked on a machine: tests/scripts/test_fail2ban.py.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench import filters
from components.fail2ban.fail2ban import HERE, MONTH, TEXTS, Limits, texts

COUNTERS = ["10.20.2.4", "10.20.3.4"]
NOW = 1_800_000_000
FACTS = st.frozensets(
    st.builds(
        "{},{},{},{}".format,
        st.sampled_from(["banned", "unbanned"]),
        st.sampled_from(["203.0.113.1", "2001:db8::1"]),
        st.integers(NOW - 2, NOW + 6),
        st.integers(NOW - 6, NOW + 2).map(lambda second: second * 1_000_000),
    ),
    max_size=8,
)


def output(**changes: object) -> dict[str, str]:
    given: dict[str, object] = {
        "counters": COUNTERS,
        "network": "10.20.0.0/16",
        "ban_point": "proxy",
        "nginx": True,
        "shared": "/srv/bans",
        "ignore": ["10.20.0.0/16", "198.51.100.0/24"],
        "limits": Limits(),
    }
    return texts(**(given | changes))  # type: ignore[arg-type]


def live(facts: Sequence[str] | frozenset[str], now: int = NOW) -> list[str]:
    command = ["awk", "-v", f"now={now}", "-f", str(HERE / "live.awk")]
    done = subprocess.run(command, check=True, capture_output=True, text=True, input="".join(f"{f}\n" for f in facts))
    return done.stdout.splitlines()


def test_every_text_is_told_and_nothing_in_it_is_left_open() -> None:
    given = output()
    assert set(given) == {*TEXTS, "PORT"}
    for name, text in given.items():
        assert text, name
        assert not re.search(r"@[A-Z_]+@", text), name


def test_hits_go_to_each_counter_and_come_from_the_nodes_network_only() -> None:
    rsyslog = output()["RSYSLOG"]
    assert re.findall(r'target="(.*?)"', rsyslog) == COUNTERS
    assert "$AllowedSender TCP, 127.0.0.1, 10.20.0.0/16\n" in rsyslog


def test_the_limits_reach_the_jail() -> None:
    jail = output(limits=Limits(hits=5, seconds=60, ban_seconds=600, factor=3))["JAIL"]
    for line in (
        "maxretry = 5",
        "findtime = 60",
        "bantime = 600",
        "bantime.multipliers = 1 3 9 27 81 243 729 2187",
        "ignoreip = 127.0.0.0/8 ::1 10.20.0.0/16 198.51.100.0/24",
    ):
        assert line in jail.splitlines()


def test_no_ban_outlasts_the_unban_that_ends_it() -> None:
    assert Limits().longest == MONTH
    assert Limits(ban_seconds=2 * MONTH).longest == 2 * MONTH
    assert f"bantime.maxtime = {MONTH}\n" in output()["JAIL"]
    assert f"longest={MONTH}\n" in output()["UNBAN"]
    assert f"dbpurgeage = {2 * MONTH}\n" in output()["FAIL2BAN"]


@pytest.mark.parametrize(
    ("nginx", "ban_point", "left_out"),
    [
        (True, "proxy", set()),
        (True, "nftables", {"NGINX_REFUSE", "VCL"}),
        (False, "nftables", {"NGINX_HITS", "NGINX_REFUSE", "VCL"}),
    ],
)
def test_only_who_proxies_is_told_how_to_refuse(nginx: bool, ban_point: str, left_out: set[str]) -> None:
    given = output(nginx=nginx, ban_point=ban_point)
    assert {name for name, text in given.items() if not text} == left_out


@settings(max_examples=60, deadline=None)
@given(FACTS, FACTS)
def test_nodes_agree_in_whatever_order_they_learn(one: frozenset[str], other: frozenset[str]) -> None:
    together = sorted(live(one | other))
    assert sorted(live([*live(one), *live(other)])) == together
    assert sorted(live([*sorted(one | other, reverse=True), *one])) == together


def test_an_unban_ends_what_was_decided_before_it_and_nothing_else() -> None:
    before, after = "banned,203.0.113.1,1800000100,1799999990000000", "banned,203.0.113.1,1800000050,1799999995000000"
    unban = "unbanned,203.0.113.1,1800009999,1799999992000000"
    other = "banned,2001:db8::1,1800000100,1799999990000000"
    assert live([before]) == [before]
    assert sorted(live([before, unban, other])) == sorted([unban, other])
    assert sorted(live([before, after, unban])) == sorted([unban, after])
    assert live([before], now=1_800_000_100) == []


@pytest.mark.parametrize("junk", ["banned,203.0.113.1,1800000100", "banned,a b,1800000100,1", "readme", "banned,;,9,9"])
def test_other_files_are_no_facts(junk: str) -> None:
    assert live([junk]) == []


def test_the_bench_is_of_as_many_lines_and_attacks_as_the_write_up_counted() -> None:
    theirs, ours, who = filters.requests()
    assert len(theirs) == len(ours) == len(who) == 16_427
    assert sum(attacker is not None for attacker in who) == 11_774
    assert filters.requests() == (theirs, ours, who)
    assert all(f" {attacker} POST " in line for line, attacker in zip(ours, who, strict=True) if attacker)
