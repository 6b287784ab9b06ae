"""A load test by Apache's `ab`: pages per second and the 99th percentile of their times."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from rehearsal.system.shell import ToolError, run


class Load(NamedTuple):
    """Result of a load test. `per_second`: answers in a second. `p99_seconds`: 99th percentile of the answer time.

    Without any answer in time, `per_second` is 0 and `p99_seconds` is None.
    """

    per_second: float
    p99_seconds: float | None


def load(prefix: Sequence[str], url: str, headers: Mapping[str, str], *, clients: int, seconds: int) -> Load:
    """Load one page as fast as `clients` parallel clients can, for `seconds`.

    `prefix`: the command prefix that runs ab(1) in the right network. Raises `ToolError` when a request failed or had
    no success status.
    """
    output = run(
        *prefix, "ab", "-q", "-l", "-t", str(seconds), "-n", "1000000", "-c", str(clients), "-s", "10",
        *(arg for name, value in headers.items() for arg in ("-H", f"{name}: {value}")), "-e", "/dev/stdout", url,
        timeout=seconds + 30,
    )  # fmt: skip
    return parsed(output)


def parsed(output: str) -> Load:
    """Parse the output of ab(1), which includes its percentiles as CSV."""
    failed = re.search(r"^(?:Failed requests|Non-2xx responses): +[1-9].*$", output, re.MULTILINE)
    if failed:
        raise ToolError(f"ab: {failed[0]}")
    if re.search(r"^Complete requests: +0$", output, re.MULTILINE):
        return Load(0, None)
    per_second = re.search(r"^Requests per second: +([\d.]+)", output, re.MULTILINE)
    p99 = re.search(r"^99,([\d.]+)$", output, re.MULTILINE)
    if not per_second or not p99:
        raise ToolError(f"ab printed no figures: {output[-500:]}")
    return Load(float(per_second[1]), float(p99[1]) / 1000)
