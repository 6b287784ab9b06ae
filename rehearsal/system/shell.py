"""Running the host's tools: one way to call them, one error that says what failed."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path


class ToolError(RuntimeError):
    """A tool of the host failed; the message holds the command and what it printed."""


def run(*command: str | Path, stdin: str | None = None, timeout: float = 60) -> str:
    """Run one command and return its standard output.

    Raises `ToolError` when it exits other than 0 or takes longer than `timeout` seconds.
    """
    words: Sequence[str] = [str(word) for word in command]
    try:
        done = subprocess.run(words, check=False, input=stdin, capture_output=True, text=True, timeout=timeout)
    except subprocess.TimeoutExpired as error:
        raise ToolError(f"{' '.join(words)}: no end after {timeout:.0f} s") from error
    if done.returncode:
        output = (done.stderr or done.stdout).strip()
        raise ToolError(f"{' '.join(words)}: exit status {done.returncode}: {output}")
    return done.stdout
