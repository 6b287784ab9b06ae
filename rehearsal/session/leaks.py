"""What a rehearsal may have left on this machine: looked for in every place it ever touches."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from rehearsal.session.sandbox import Sandbox
from rehearsal.system.cgroups import hierarchies


def leaks(sandbox: Sandbox) -> list[str]:
    """Machines, mounts, loop devices, namespaces, control groups, processes and files of a rehearsal that has ended."""
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
    """Processes of its machines (by control group) or with its directory among their words."""
    for process in Path("/proc").glob("[0-9]*"):
        if int(process.name) == os.getpid():
            continue
        words = _text(process / "cmdline")
        if f"/{sandbox.cgroup}/" in _text(process / "cgroup") or str(sandbox.directory) in words.split("\0"):
            yield f"process {process.name} ({words.replace(chr(0), ' ').strip()})"


def _mounts(sandbox: Sandbox) -> Iterator[str]:
    """Mounts in this namespace or in that of any process, so that a namespace that outlived its machine shows."""
    for mounts in {_text(process / "mountinfo") for process in Path("/proc").glob("[0-9]*")}:
        for line in mounts.splitlines():
            if str(sandbox.directory) in line:
                yield f"mount {line.split()[4]}"


def _text(file: Path) -> str:
    try:
        return file.read_text(errors="replace")
    except OSError:
        return ""
