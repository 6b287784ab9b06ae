"""Finding the first process of a PID namespace from outside of it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path


def init_below(pid: int) -> int:
    """The nearest descendant of `pid` that is the first process of a namespace of its own, as this side numbers it.

    Raises `ProcessLookupError` when there is none (any more, or yet).
    """
    for child in descendants(pid):
        with contextlib.suppress(OSError):
            status = Path(f"/proc/{child}/status").read_text()
            numbers = next(line for line in status.splitlines() if line.startswith("NSpid:")).split()[1:]
            if len(numbers) > 1 and numbers[-1] == "1":
                return child
    raise ProcessLookupError(f"no init below process {pid}")


def descendants(pid: int) -> Iterator[int]:
    """The children of a process, theirs, and so on, nearest first."""
    generation = [pid]
    while generation:
        born: list[int] = []
        for parent in generation:
            with contextlib.suppress(OSError):
                born += [int(child) for child in Path(f"/proc/{parent}/task/{parent}/children").read_text().split()]
        yield from born
        generation = born
