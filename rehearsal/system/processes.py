"""Processes of other PID namespaces, as this namespace numbers them."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path


def init_below(pid: int) -> int:
    """Return the process id of the nearest descendant of `pid` that is the first process of its own PID namespace.

    Raises `ProcessLookupError` when there is none: it has not started yet, or has ended.
    """
    for child in descendants(pid):
        with contextlib.suppress(OSError):
            status = Path(f"/proc/{child}/status").read_text()
            numbers = next(line for line in status.splitlines() if line.startswith("NSpid:")).split()[1:]
            if len(numbers) > 1 and numbers[-1] == "1":
                return child
    raise ProcessLookupError(f"no init below process {pid}: its namespace has not started or has ended")


def descendants(pid: int) -> Iterator[int]:
    """Process ids of the descendants of a process: first its children, then theirs, and so on."""
    generation = [pid]
    while generation:
        children: list[int] = []
        for parent in generation:
            with contextlib.suppress(OSError):
                children += [int(child) for child in Path(f"/proc/{parent}/task/{parent}/children").read_text().split()]
        yield from children
        generation = children
