"""Cache of the engine and the machine image, which take minutes to make."""

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
"""Seconds to wait for another process that makes the same entry."""


def make_once(name: str, make: Callable[[Path], None]) -> Path:
    """Return the cache's directory `name`; if it does not exist, `make` fills an empty one first."""
    final = DIRECTORY / name
    with locked(name):
        if not final.exists():
            directory = unfinished(name)
            make(directory)
            directory.rename(final)
    return final


def unfinished(name: str) -> Path:
    """Return an empty directory to make an entry in, on the cache's file system.

    Rename it when the entry is complete. A process that is killed before leaves no entry, and the next call removes the
    directory. The caller holds the lock of `name`.
    """
    directory = DIRECTORY / f"{name}.unfinished"
    if directory.exists():
        shutil.rmtree(directory)
    directory.mkdir()
    return directory


@contextmanager
def locked(name: str) -> Iterator[None]:
    """Hold the lock of the entry `name` while the block runs; the kernel releases it when this process dies.

    Raises `ToolError` when another process holds it for longer than `LOCK_TIMEOUT`.
    """
    DIRECTORY.mkdir(parents=True, exist_ok=True)
    with (DIRECTORY / f"{name}.lock").open("w") as lock:
        if not try_lock(lock.fileno()):
            end = time.monotonic() + LOCK_TIMEOUT
            with progress.step(f"Waiting for another process that makes {name}"):
                while not try_lock(lock.fileno()):
                    if time.monotonic() > end:
                        raise ToolError(f"another process has held {lock.name} for {LOCK_TIMEOUT} s: end it, try again")
                    time.sleep(0.2)
        yield


def try_lock(descriptor: int) -> bool:
    """Lock an open file, and return whether that succeeded; it fails while another process holds the lock."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
