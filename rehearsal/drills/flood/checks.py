"""Figures of a flood, their limits, and the checks of one against the other."""

from __future__ import annotations

from collections.abc import Collection

from rehearsal.probes.agents.flood import REFUSED
from rehearsal.report.model import Check, FaultResult, Seconds

FLOOD = "flood"

BAN_LIMIT = 5.0
"""Seconds that a ban or an unban may take to reach every node; a ban counts from the hit at the threshold."""
SLOW = 2.0
"""Seconds that a legitimate client's request may take."""
CACHED_RATIO = 50
"""Cached pages that a node must serve in the time of one uncached page."""
CACHED_P99_MS = 5.0
"""Milliseconds that 99 of 100 cached pages must stay under."""


class FloodResult(FaultResult):
    """Figures of a flood: its effect on legitimate clients, and the nodes' response to it."""

    ban_seconds: Seconds | None
    """Slowest ban: from the hit that reached the threshold until the last node refused the address."""
    legitimate_failures: int
    """Requests of legitimate clients that failed."""
    slow_legitimate_requests: int
    """Successful requests of legitimate clients that took longer than `SLOW`."""
    php_hits_after_ban: int
    """Requests that reached PHP on a node that had banned their address."""
    wrong_bans: int
    """Banned addresses that attacked nothing."""
    cached_pages_per_second: int
    uncached_pages_per_second: float
    cached_p99_ms: float | None
    """99th percentile of the time of cached pages, loaded one after the other from the node under attack."""


def fail2ban_restart(seconds: float | None) -> Check:
    """Check that Fail2Ban returned by itself; `seconds`: from its kill until it counted again, None when it did not."""
    measured = "no" if seconds is None else f"yes, after {seconds:.1f} s"
    return _check("Fail2Ban restarts by itself after a kill", seconds is not None, measured, "yes")


def bans_after_reboot(before: Collection[str], after: Collection[str], statuses: Collection[int]) -> Check:
    """Check that a node kept its bans over a reboot and enforced them from its first answer.

    `before`, `after`: its banned addresses. `statuses`: of all its answers to attackers since it serves again.
    """
    kept = len({*before} & {*after})
    answers = ", ".join(map(str, sorted(statuses))) or "no answer"
    return _check(
        "bans kept over a reboot",
        kept == len({*before}) and {*statuses} == {REFUSED},
        f"{kept} of {len({*before})}, attackers get {answers}",
        f"all, {REFUSED} only",
    )


def unban(seconds: float, error: str | None) -> Check:
    """Check that an unban on one node reached all nodes in `seconds`; `error`: why the address was then not served."""
    return _check(
        "unban reaches every node",
        error is None and seconds <= BAN_LIMIT,
        f"{seconds:.1f} s" + (f", then {error}" if error else ""),
        f"<= {BAN_LIMIT:.0f} s",
    )


def figures(result: FloodResult, *, hits: int, legitimate: int, refused: int) -> list[Check]:
    """Check a flood's figures against their limits.

    `hits`: the threshold of a ban. `legitimate`: number of requests of legitimate clients. `refused`: number of refused
    requests of attackers. Where either is 0, the checks of such requests fail.
    """
    ban, ratio, p99_ms = result.ban_seconds, _cached_ratio(result), result.cached_p99_ms
    return [
        _check(
            f"ban on every node after {hits} hits",
            ban is not None and ban <= BAN_LIMIT,
            "not every attacker banned" if ban is None else f"{ban:.1f} s",
            f"<= {BAN_LIMIT:.0f} s",
        ),
        _check(
            "legitimate requests failed",
            bool(legitimate) and not result.legitimate_failures,
            f"{result.legitimate_failures:,} of {legitimate:,}",
            "0",
        ),
        _check(
            f"legitimate requests slower than {SLOW:.0f} s",
            bool(legitimate) and not result.slow_legitimate_requests,
            f"{result.slow_legitimate_requests:,} of {legitimate:,}",
            "0",
        ),
        _check(
            "banned requests that reached PHP",
            bool(refused) and not result.php_hits_after_ban,
            f"{result.php_hits_after_ban:,} ({refused:,} refused)",
            "0",
        ),
        _check("legitimate addresses banned", not result.wrong_bans, f"{result.wrong_bans:,}", "0"),
        _check(
            "cached to uncached pages per second",
            ratio is not None and ratio >= CACHED_RATIO,
            "not measured" if ratio is None else f"{ratio:,.0f}x",
            f">= {CACHED_RATIO}x",
        ),
        _check(
            "99th percentile of cached pages",
            p99_ms is not None and p99_ms < CACHED_P99_MS,
            "not measured" if p99_ms is None else f"{p99_ms} ms",
            f"< {CACHED_P99_MS:.0f} ms",
        ),
    ]


def _cached_ratio(result: FloodResult) -> float | None:
    """Cached pages for each uncached one in the same time; None when no uncached page was measured."""
    uncached = result.uncached_pages_per_second
    return result.cached_pages_per_second / uncached if uncached else None


def _check(name: str, passed: bool, measured: str, limit: str) -> Check:
    return Check(fault=FLOOD, name=name, passed=passed, measured=measured, limit=limit)
