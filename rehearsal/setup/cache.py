"""What is made once and kept for later runs: the engine, the machine image."""

from __future__ import annotations

import fcntl
import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from rehearsal import progress
from rehearsal.system.shell import ToolError

DIRECTORY = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "ha-wordpress"

LOCK_TIMEOUT = 1200
"""Seconds to wait for another process that makes the same thing."""


def once(name: str, make: Callable[[Path], None]) -> Path:
    """The directory `name` of the cache; `make` fills a new one when it is not there."""
    whole = DIRECTORY / name
    with locked(name):
        if not whole.exists():
            directory = unfinished(name)
            make(directory)
            directory.rename(whole)
    return whole


def unfinished(name: str) -> Path:
    """An empty directory to make something in, on the file system of its final place.

    Renamed only when it is whole, it leaves nothing that counts when the making is killed; the next
    one clears it away. Call it with the lock of `name`.
    """
    directory = DIRECTORY / f"{name}.unfinished"
    if directory.exists():
        shutil.rmtree(directory)
    directory.mkdir()
    return directory


@contextmanager
def locked(name: str) -> Iterator[None]:
    """Be the only process that works on `name`; the lock goes with its process.

    Raises `ToolError` when another process holds it for longer than `LOCK_TIMEOUT`.
    """
    DIRECTORY.mkdir(parents=True, exist_ok=True)
    with (DIRECTORY / f"{name}.lock").open("w") as lock:
        if not taken(lock.fileno()):
            end = time.monotonic() + LOCK_TIMEOUT
            with progress.step(f"Waiting for another process that makes {name}"):
                while not taken(lock.fileno()):
                    if time.monotonic() > end:
                        raise ToolError(f"{lock.name} is still held after {LOCK_TIMEOUT} s")
                    time.sleep(0.2)
        yield


def taken(descriptor: int) -> bool:
    """Take the lock of an open file, unless another process has it."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
