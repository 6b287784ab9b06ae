"""Calls of the host's tools, with a time limit and one type of error."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path


class ToolError(RuntimeError):
    """A tool of the host failed; the message has the command and its output."""


def run(*command: str | Path, stdin: str | None = None, timeout: float = 60) -> str:
    """Run one command and return its standard output. `stdin`: its standard input; `timeout`: seconds.

    Raises `ToolError` when the exit status is not 0, or when the command is killed at the timeout.
    """
    words: Sequence[str] = [str(word) for word in command]
    try:
        done = subprocess.run(words, check=False, input=stdin, capture_output=True, text=True, timeout=timeout)
    except subprocess.TimeoutExpired as error:
        raise ToolError(f"{' '.join(words)}: killed after {timeout:.0f} s") from error
    if done.returncode:
        output = (done.stderr or done.stdout).strip()
        raise ToolError(f"{' '.join(words)}: exit status {done.returncode}: {output}")
    return done.stdout
