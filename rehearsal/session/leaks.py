"""A search for leaks: everything that a rehearsal may leave on this host."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from rehearsal.session.sandbox import Sandbox
from rehearsal.system.cgroups import hierarchies


def leaks(sandbox: Sandbox) -> list[str]:
    """Files, control groups, loop devices, processes and mounts that an ended rehearsal left, a line for each."""
    return [*_files(sandbox), *_cgroups(sandbox), *_loop_devices(sandbox), *_processes(sandbox), *_mounts(sandbox)]


def _files(sandbox: Sandbox) -> Iterator[str]:
    if sandbox.directory.exists():
        yield f"directory {sandbox.directory}"


def _cgroups(sandbox: Sandbox) -> Iterator[str]:
    for tree in hierarchies():
        if (tree / sandbox.cgroup).exists():
            yield f"control group {tree / sandbox.cgroup}"


def _loop_devices(sandbox: Sandbox) -> Iterator[str]:
    for backing in Path("/sys/block").glob("loop*/loop/backing_file"):
        if _text(backing).startswith(str(sandbox.directory)):
            yield f"loop device /dev/{backing.parent.parent.name}"


def _processes(sandbox: Sandbox) -> Iterator[str]:
    """Processes in the control groups of its machines, or with its directory among their arguments."""
    for process in Path("/proc").glob("[0-9]*"):
        if int(process.name) == os.getpid():
            continue
        arguments = _text(process / "cmdline")
        if f"/{sandbox.cgroup}/" in _text(process / "cgroup") or str(sandbox.directory) in arguments.split("\0"):
            yield f"process {process.name} ({arguments.replace(chr(0), ' ').strip()})"


def _mounts(sandbox: Sandbox) -> Iterator[str]:
    """Mounts below its directory in any mount namespace that a process is in."""
    for mounts in {_text(process / "mountinfo") for process in Path("/proc").glob("[0-9]*")}:
        for line in mounts.splitlines():
            if str(sandbox.directory) in line:
                yield f"mount {line.split()[4]}"


def _text(file: Path) -> str:
    """The text of a file; empty when it no longer exists."""
    try:
        return file.read_text(errors="replace")
    except OSError:
        return ""
