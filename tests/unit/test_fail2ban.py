"""Bans: the parameters of the step, and the agreement of nodes that have seen the same facts.

tests/scripts/test_fail2ban.py tests the filter and the jails with fail2ban itself, on machines.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Sequence
from ipaddress import IPv4Network, IPv6Network
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench import filters
from components.config.settings import Bans
from components.fail2ban.fail2ban import MONTH, TEXTS, longest_ban, texts

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


def params(**changes: object) -> dict[str, str]:
    arguments: dict[str, object] = {
        "counters": COUNTERS,
        "network": "10.20.0.0/16",
        "ban_point": "proxy",
        "nginx": True,
        "shared": "/srv/bans",
        "ignore": ["10.20.0.0/16", "198.51.100.0/24"],
        "bans": Bans(),
    }
    return texts(**(arguments | changes))  # type: ignore[arg-type]


def live(facts: Sequence[str] | frozenset[str], now: int = NOW) -> list[str]:
    """The facts that bans-live keeps, with the settings of `params`."""
    kept: list[str] = bans_live()["names"](facts, now)
    return kept


@functools.cache
def bans_live() -> dict[str, Any]:
    names: dict[str, Any] = {"__name__": "bans_live"}
    exec(params()["LIVE"], names)
    return names


def test_every_parameter_has_a_text_without_placeholders() -> None:
    texts = params()
    assert set(texts) == {*TEXTS, "PORT", "RESTART"}
    for name, text in texts.items():
        assert text, name
        assert not re.search(r"@[A-Z_]+@", text), name


def test_hits_go_to_every_counter_and_come_from_the_nodes_network_only() -> None:
    rsyslog = params()["RSYSLOG"]
    assert re.findall(r'target="(.*?)"', rsyslog) == COUNTERS
    assert "$AllowedSender TCP, 10.20.0.0/16\n" in rsyslog


def test_a_machine_without_nginx_has_no_hits_of_its_own() -> None:
    own, none = params(), params(nginx=False)
    assert "d /run/ha-wordpress/hits 710 root nginx\n" in own["TMPFILES"]
    assert 'type="imuxsock" socket="/run/ha-wordpress/hits/nginx"' in own["RSYSLOG"]
    assert "nginx" not in none["TMPFILES"]
    assert "imuxsock" not in none["RSYSLOG"]
    assert all(counter not in none["RSYSLOG"] for counter in COUNTERS)


def test_the_settings_reach_the_jail() -> None:
    ignore: list[IPv4Network | IPv6Network] = [IPv4Network("198.18.0.9"), IPv6Network("2001:4860::/32")]
    jail = params(bans=Bans(hits=5, seconds=60, ban_seconds=600, factor=3, ignore=ignore))["JAIL"]
    for line in (
        "maxretry = 5",
        "findtime = 60",
        "bantime = 600",
        "bantime.multipliers = 1 3 9 27 81 243 729 2187",
        "ignoreip = 127.0.0.0/8 ::1 10.20.0.0/16 198.51.100.0/24 198.18.0.9/32 2001:4860::/32",
    ):
        assert line in jail.splitlines()


def test_no_ban_outlasts_the_unban_that_ends_it() -> None:
    assert longest_ban(Bans()) == MONTH
    assert longest_ban(Bans(ban_seconds=2 * MONTH)) == 2 * MONTH
    assert f"bantime.maxtime = {MONTH}\n" in params()["JAIL"]
    assert f"longest={MONTH}\n" in params()["UNBAN"]
    assert f"dbpurgeage = {2 * MONTH}\n" in params()["FAIL2BAN"]


@pytest.mark.parametrize(
    ("nginx", "ban_point", "left_out"),
    [
        (True, "proxy", set()),
        (True, "nftables", {"NGINX_REFUSE", "VCL"}),
        (False, "nftables", {"NGINX_HITS", "NGINX_PATH", "NGINX_REFUSE", "VCL"}),
    ],
)
def test_a_machine_gets_no_files_that_it_does_not_need(nginx: bool, ban_point: str, left_out: set[str]) -> None:
    texts = params(nginx=nginx, ban_point=ban_point)
    assert {name for name, text in texts.items() if not text} == left_out


@settings(max_examples=60, deadline=None)
@given(FACTS, FACTS)
def test_nodes_agree_whatever_the_order_of_facts(one: frozenset[str], other: frozenset[str]) -> None:
    together = sorted(live(one | other))
    assert sorted(live([*live(one), *live(other)])) == together
    assert sorted(live([*sorted(one | other, reverse=True), *one])) == together


def test_an_unban_ends_only_bans_decided_before_it() -> None:
    before, after = "banned,203.0.113.1,1800000100,1799999990000000", "banned,203.0.113.1,1800000050,1799999995000000"
    unban = "unbanned,203.0.113.1,1800009999,1799999992000000"
    other = "banned,2001:db8::1,1800000100,1799999990000000"
    assert live([before]) == [before]
    assert sorted(live([before, unban, other])) == sorted([unban, other])
    assert sorted(live([before, after, unban])) == sorted([unban, after])
    assert live([before], now=1_800_000_100) == []


@pytest.mark.parametrize(
    "junk",
    [
        "readme",
        "banned,203.0.113.1,1800000100",
        "banned,a b,1800000100,1",
        "banned,;,9,9",
        *(
            f"banned,{address},{NOW + 100},1"
            for address in (
                "....",
                "1.2.3",
                "256.1.1.1",
                "01.2.3.4",
                ":::",
                "1:2",
                "::1::",
                "12345::",
                "0:0::1",
                "2001:DB8::9",
            )
        ),
    ],
)
def test_files_with_other_names_are_no_facts(junk: str) -> None:
    good = f"banned,203.0.113.1,{NOW + 100},1"
    assert live([junk, good, f"{junk}\r"]) == [good]


@pytest.mark.parametrize("address", ["10.20.1.11", "198.51.100.7", "127.0.0.1", "127.1.2.3", "::1"])
def test_the_network_operators_and_loopback_are_never_banned(address: str) -> None:
    assert live([f"banned,{address},{NOW + 100},{NOW * 1_000_000}"]) == []


def test_no_fact_outlasts_the_longest_ban_or_comes_from_the_future() -> None:
    decided, longest = NOW * 1_000_000, NOW + MONTH
    good = f"banned,203.0.113.1,{longest},{decided}"
    assert live([good, f"banned,203.0.113.2,9999999999,{decided}"]) == [good]
    assert live([good, f"unbanned,203.0.113.1,{longest},{decided + 7200 * 1_000_000}"]) == [good]


def test_the_facts_decided_last_are_kept_up_to_a_number() -> None:
    facts = [f"banned,198.18.{n // 256}.{n % 256},{NOW + 100},{(NOW - n) * 1_000_000}" for n in range(10_100)]
    assert live(facts) == sorted(facts[:10_000])
    assert live([*live(facts[100:]), *live(facts[:5000])]) == sorted(facts[:10_000])


def test_the_bench_has_the_lines_and_attacks_of_the_published_measurement() -> None:
    published, own, attackers = filters.requests()
    assert len(published) == len(own) == len(attackers) == 16_427
    assert sum(attacker is not None for attacker in attackers) == 11_774
    assert filters.requests() == (published, own, attackers)
    assert all(f" {attacker} login POST " in line for line, attacker in zip(own, attackers, strict=True) if attacker)
