#!/usr/bin/python3 -IS
"""Prints the facts that still matter, of those on standard input, one per line: for each address its latest unban, and
the bans decided after that, without any ban that a later one outlasts. A fact is the name of an empty file:

    banned,ADDRESS,END,DECIDED      END: seconds since 1970; DECIDED: microseconds since 1970
    unbanned,ADDRESS,END,DECIDED    END: when every ban from before it has ended

Facts never change, so nodes that have seen the same facts agree, in whatever order and however often they saw them. Any
other line is dropped, as are facts that no node records, because the facts come from a volume that PHP can write.

Usage: bans-live NOW   (seconds since 1970)
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Iterator
from ipaddress import ip_address, ip_network
from typing import NamedTuple

LONGEST = int("@LONGEST@")
"""Longest ban in seconds."""

IGNORE = "127.0.0.0/8 ::1 @IGNORE@"
IGNORED = [ip_network(text, strict=False) for text in IGNORE.split()]
"""Addresses that are never banned: a fact about one of the site's own machines would cut the machine off."""

CLOCK_TOLERANCE = 3600
"""Seconds by which the clocks of two nodes may differ."""

MOST = 10_000
"""Number of facts that are kept: the ones decided last. A machine applies as many in 1.6 s, of the 5 s that a ban may
take to reach every node.
"""

FACT = re.compile(r"(banned|unbanned),([0-9a-f:.]+),([0-9]{1,12}),([0-9]{1,18})")


class Fact(NamedTuple):
    """A fact; in order of the decision, and an unban after the bans of its microsecond."""

    decided: int
    kind: str
    end: int
    address: str


def fact(line: str, now: int) -> Fact | None:
    """The fact that a line holds, or None."""
    match = FACT.fullmatch(line)
    if not match:
        return None
    kind, text, end, decided = match[1], match[2], int(match[3]), int(match[4])
    try:
        address = ip_address(text)
    except ValueError:
        return None
    if str(address) != text or (kind == "banned" and any(address in network for network in IGNORED)):
        return None
    if not now < end <= now + LONGEST + CLOCK_TOLERANCE or decided > (now + CLOCK_TOLERANCE) * 1_000_000:
        return None
    return Fact(decided, kind, end, text)


def live(facts: Iterable[Fact]) -> Iterator[Fact]:
    """The facts that still matter, latest first."""
    # the latest end of each address's bans so far
    ends: dict[str, int] = {}
    unbanned = set()
    for each in sorted(facts, reverse=True):
        if each.address in unbanned:
            continue
        if each.kind == "unbanned":
            unbanned.add(each.address)
        elif each.end <= ends.get(each.address, 0):
            continue
        else:
            ends[each.address] = each.end
        yield each


def names(lines: Iterable[str], now: int) -> list[str]:
    """The names of the facts that are kept, sorted."""
    facts = {found for line in lines if (found := fact(line.rstrip("\n"), now))}
    kept = list(live(facts))[:MOST]
    return sorted(f"{each.kind},{each.address},{each.end},{each.decided}" for each in kept)


if __name__ == "__main__":
    sys.stdout.writelines(f"{name}\n" for name in names(sys.stdin, int(sys.argv[1])))
