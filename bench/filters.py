#!/usr/bin/python3
# ruff: noqa: T201 (what is printed is the result)
"""The filter of the write-up against ours, on the same 16,427 requests of which 11,774 are attacks.

Each reads its own log: theirs nginx's combined format with the visitor's address as the last field, in quotes; ours
the one of components/fail2ban/nginx-hits.conf, here of all requests, although nginx leaves most out. The log is made
here, the same at every run. The time is the processor's, without what fail2ban-regex takes for no line at all, the
least of runs in turn: whatever else the machine does can only add to it.

Needs Debian's fail2ban, and nothing else: `bench/filters.py components/fail2ban/filter.conf` prints a table;
with --json behind it, the same for a program.
"""

from __future__ import annotations

import json
import random
import resource
import subprocess
import sys
import tempfile
from collections import Counter
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

LINES = 16_427
ATTACKS = 11_774
RUNS = 9

THEIRS = r'POST /xmlrpc.php HTTP/.*"<HOST>"$'
"""As published, with the <HOST> that the page has lost."""

START = datetime(2026, 11, 21, tzinfo=UTC)

# what a visitor asks for, and what nginx makes of it ($uri)
ATTACKED = {
    "/xmlrpc.php": "/xmlrpc.php",
    "//xmlrpc.php": "/xmlrpc.php",
    "/xmlrpc.php?rsd": "/xmlrpc.php",
    "/blog/xmlrpc.php": "/blog/xmlrpc.php",
    "/%78mlrpc.php": "/xmlrpc.php",
    "/./xmlrpc.php": "/xmlrpc.php",
}
INNOCENT = {
    ("GET", "/"): ("/index.php", 200),
    ("GET", "/2026/11/a-post/"): ("/index.php", 200),
    ("GET", "/?s=xmlrpc.php"): ("/index.php", 200),
    ("GET", "/wp-content/themes/t/style.css?ver=6.1"): ("/wp-content/themes/t/style.css", 304),
    ("GET", "/wp-login.php"): ("/wp-login.php", 200),
    ("GET", "/xmlrpc.php?rsd"): ("/xmlrpc.php", 200),
    ("POST", "/wp-comments-post.php"): ("/wp-comments-post.php", 302),
    ("POST", "/wp-admin/admin-ajax.php"): ("/wp-admin/admin-ajax.php", 200),
}
BROWSER = "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"
LIAR = "POST /xmlrpc.php HTTP/1.1"


@dataclass(frozen=True)
class Result:
    """What a filter made of the log: attacks `found` and `missed`, and `wrong`, other lines taken for attacks."""

    filter: str
    lines: int
    found: int
    missed: int
    wrong: int
    seconds: float


def requests() -> tuple[list[str], list[str], list[str | None]]:
    """Their log, our log, and the attacker's address at each line, or None."""
    chance = random.Random(16_427)
    attackers = [f"198.51.100.{n}" for n in range(1, 255)]
    innocents = [f"203.0.113.{n}" for n in range(1, 255)]
    attacks = chance.sample(range(LINES), ATTACKS)
    who: list[str | None] = [None] * LINES
    for at in attacks:
        who[at] = chance.choice(attackers)
    theirs, ours = [], []
    for at, attacker in enumerate(who):
        when = START + timedelta(seconds=at // 8)
        visitor = attacker or chance.choice(innocents)
        agent = BROWSER
        if attacker:
            method, status = "POST", 200
            # most of it is what the write-up saw
            asked = chance.choices(list(ATTACKED), [75, 10, 5, 5, 3, 2])[0]
            path = ATTACKED[asked]
        else:
            method, asked = chance.choice(list(INNOCENT))
            path, status = INNOCENT[method, asked]
            # what their expression takes for an attack
            agent = LIAR if chance.random() < 0.01 else BROWSER
        theirs.append(
            f'127.0.0.1 - - [{when:%d/%b/%Y:%H:%M:%S %z}] "{method} {asked} HTTP/1.1" {status} '
            f'{chance.randrange(200, 60_000)} "-" "{agent}" "{visitor}"'
        )
        ours.append(f"{when.timestamp():.3f} {visitor} {method} {path} {status}")
    return theirs, ours, who


def measure(ours: Path) -> list[Result]:
    """What each filter makes of the requests; `ours`: the path of filter.conf."""
    their_log, our_log, who = requests()
    with tempfile.TemporaryDirectory() as directory:
        sides = [("theirs", Path(directory, "access.log"), THEIRS), ("ours", Path(directory, "hits.log"), str(ours))]
        for (_, log, _), lines in zip(sides, (their_log, our_log), strict=True):
            log.write_text("".join(f"{line}\n" for line in lines))
        nothing = Path(directory, "empty.log")
        nothing.touch()
        results = []
        # in turn, so that a busy moment of the machine meets both
        times = [[(seconds(log, filter_), seconds(nothing, filter_)) for _, log, filter_ in sides] for _ in range(RUNS)]
        for (name, log, filter_), taken in zip(sides, zip(*times, strict=True), strict=True):
            all_lines, no_line = map(min, zip(*taken, strict=True))
            matched = Counter(fail2ban_regex("--out=ip", log, filter_).split())
            attacks = Counter(attacker for attacker in who if attacker)
            found = (matched & attacks).total()
            wrong = (matched - attacks).total()
            results.append(Result(name, LINES, found, ATTACKS - found, wrong, all_lines - no_line))
    return results


def fail2ban_regex(option: str, log: Path, filter_: str) -> str:
    command = ["fail2ban-regex", "--usedns=no", option, str(log), filter_]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def seconds(log: Path, filter_: str) -> float:
    """Of the processor, as others may use the machine too."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
    fail2ban_regex("--print-no-missed", log, filter_)
    return resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime - before


def main() -> None:
    results = measure(Path(sys.argv[1]))
    if "--json" in sys.argv:
        print(json.dumps([asdict(result) for result in results]))
        return
    print(f"{'filter':8}{'lines':>8}{'found':>8}{'missed':>8}{'wrong':>8}{'s':>8}{'us/line':>9}")
    for result in results:
        *counts, taken = list(asdict(result).values())[1:]
        print(f"{result.filter:8}" + "".join(f"{n:8}" for n in counts) + f"{taken:8.2f}{taken / LINES * 1e6:9.1f}")


if __name__ == "__main__":
    main()
