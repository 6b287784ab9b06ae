"""How many pages a node serves in a second, and how long the slowest of a hundred takes: by Apache's own `ab`."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from rehearsal.system.shell import ToolError, run


class Load(NamedTuple):
    """`p99_seconds`: what 99 of 100 answers take at most."""

    per_second: float
    p99_seconds: float


def load(words: Sequence[str], url: str, headers: Mapping[str, str], *, clients: int, seconds: int) -> Load:
    """Load one page as fast as `clients` at once can; `words`: what runs ab(1), and where.

    Raises `ToolError` when an answer was no page.
    """
    output = run(
        *words, "ab", "-q", "-l", "-t", str(seconds), "-n", "1000000", "-c", str(clients), "-s", "10",
        *(word for name, value in headers.items() for word in ("-H", f"{name}: {value}")), "-e", "/dev/stdout", url,
        timeout=seconds + 30,
    )  # fmt: skip
    return parsed(output)


def parsed(output: str) -> Load:
    """What ab(1) says, with its table of percentiles as CSV."""
    failed = re.search(r"^(?:Failed requests|Non-2xx responses): +[1-9].*$", output, re.MULTILINE)
    if failed:
        raise ToolError(f"ab: {failed[0]}")
    per_second = re.search(r"^Requests per second: +([\d.]+)", output, re.MULTILINE)
    p99 = re.search(r"^99,([\d.]+)$", output, re.MULTILINE)
    if not per_second or not p99:
        raise ToolError(f"ab: no figures: {output[-500:]}")
    return Load(float(per_second[1]), float(p99[1]) / 1000)
