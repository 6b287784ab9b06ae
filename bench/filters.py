"""The published fail2ban filter against ours, on the same 16,427 requests of which 11,774 are attacks.

Each filter reads its own log. The published filter's log is in nginx's combined format with the visitor's address as
the last field, in quotes. Our filter's log is in the format of components/fail2ban/nginx-hits.conf, here with all
requests, although nginx logs only some. Each of its lines holds the kind of the request, which nginx has decided: its
maps take a few microseconds, and are not part of these times. The bench writes both logs, the same at every run. It
measures processor time, subtracts the time of fail2ban-regex for an empty log, and keeps the least of nine runs,
because other processes can only add to it.

Usage: python bench/filters.py FILTER   (prints a table; needs fail2ban-regex of Debian's package fail2ban)
"""

from __future__ import annotations

import random
import resource
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

LINES = 16_427
ATTACKS = 11_774
RUNS = 9

PUBLISHED = r'POST /xmlrpc.php HTTP/.*"<HOST>"$'
"""As published, with the <HOST> that the web page dropped."""

START = datetime(2026, 11, 21, tzinfo=UTC)

# the request's path, and the path that nginx makes of it ($uri)
ATTACKED = {
    "/xmlrpc.php": "/xmlrpc.php",
    "//xmlrpc.php": "/xmlrpc.php",
    "/xmlrpc.php?rsd": "/xmlrpc.php",
    "/blog/xmlrpc.php": "/blog/xmlrpc.php",
    "/%78mlrpc.php": "/xmlrpc.php",
    "/./xmlrpc.php": "/xmlrpc.php",
}
LEGITIMATE = {
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
FORGED_AGENT = "POST /xmlrpc.php HTTP/1.1"


@dataclass(frozen=True)
class Result:
    """A filter's counts of attacks `found` and `missed`, and of other lines taken for attacks (`wrong`)."""

    filter: str
    lines: int
    found: int
    missed: int
    wrong: int
    seconds: float


def requests() -> tuple[list[str], list[str], list[str | None]]:
    """The published filter's log, our filter's log, and each line's attacker address or None."""
    chance = random.Random(16_427)
    attackers = [f"198.51.100.{n}" for n in range(1, 255)]
    clients = [f"203.0.113.{n}" for n in range(1, 255)]
    attacks = chance.sample(range(LINES), ATTACKS)
    attackers_by_line: list[str | None] = [None] * LINES
    for at in attacks:
        attackers_by_line[at] = chance.choice(attackers)
    published, ours = [], []
    for at, attacker in enumerate(attackers_by_line):
        when = START + timedelta(seconds=at // 8)
        visitor = attacker or chance.choice(clients)
        agent = BROWSER
        if attacker:
            method, status = "POST", 200
            # weighted as in the published measurement
            requested = chance.choices(list(ATTACKED), [75, 10, 5, 5, 3, 2])[0]
            path = ATTACKED[requested]
        else:
            method, requested = chance.choice(list(LEGITIMATE))
            path, status = LEGITIMATE[method, requested]
            # the published expression takes some of these for attacks
            agent = FORGED_AGENT if chance.random() < 0.01 else BROWSER
        published.append(
            f'127.0.0.1 - - [{when:%d/%b/%Y:%H:%M:%S %z}] "{method} {requested} HTTP/1.1" {status} '
            f'{chance.randrange(200, 60_000)} "-" "{agent}" "{visitor}"'
        )
        ours.append(f"{when.timestamp():.3f} {visitor} {'login' if attacker else '-'} {method} {path} {status}")
    return published, ours, attackers_by_line


def measure(ours: Path) -> list[Result]:
    """The results of both filters; `ours`: the path of our filter.conf."""
    published_log, our_log, attackers_by_line = requests()
    with tempfile.TemporaryDirectory() as directory:
        sides = [
            ("published", Path(directory, "access.log"), PUBLISHED),
            ("ours", Path(directory, "hits.log"), str(ours)),
        ]
        for (_, log, _), lines in zip(sides, (published_log, our_log), strict=True):
            log.write_text("".join(f"{line}\n" for line in lines))
        nothing = Path(directory, "empty.log")
        nothing.touch()
        results = []
        # in turn, so that a busy moment of the machine slows both
        times = [[(seconds(log, filter_), seconds(nothing, filter_)) for _, log, filter_ in sides] for _ in range(RUNS)]
        for (name, log, filter_), taken in zip(sides, zip(*times, strict=True), strict=True):
            all_lines, no_line = map(min, zip(*taken, strict=True))
            matched = Counter(fail2ban_regex("--out=ip", log, filter_).split())
            attacks = Counter(attacker for attacker in attackers_by_line if attacker)
            found = (matched & attacks).total()
            wrong = (matched - attacks).total()
            results.append(Result(name, LINES, found, ATTACKS - found, wrong, all_lines - no_line))
    return results


def fail2ban_regex(option: str, log: Path, filter_: str) -> str:
    command = ["fail2ban-regex", "--usedns=no", option, str(log), filter_]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout


def seconds(log: Path, filter_: str) -> float:
    """Processor seconds of one run of fail2ban-regex."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
    fail2ban_regex("--print-no-missed", log, filter_)
    return resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime - before


def main() -> None:
    if not shutil.which("fail2ban-regex"):
        sys.exit("fail2ban-regex is missing on this machine: apt-get install fail2ban")
    print(f"{'filter':10}{'lines':>8}{'found':>8}{'missed':>8}{'wrong':>8}{'s':>8}{'us/line':>9}")
    for result in measure(Path(sys.argv[1])):
        counts = (result.lines, result.found, result.missed, result.wrong)
        numbers = "".join(f"{count:8}" for count in counts)
        print(f"{result.filter:10}{numbers}{result.seconds:8.2f}{result.seconds / LINES * 1e6:9.1f}")


if __name__ == "__main__":
    main()
