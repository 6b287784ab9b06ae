"""What a rehearsal may have left on this machine: looked for in every place it ever touches."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from rehearsal.session.sandbox import Lab
from rehearsal.system.cgroups import hierarchies


def residue(lab: Lab) -> list[str]:
    """Machines, mounts, loop devices, namespaces, control groups, processes and files of a rehearsal that has ended."""
    return [*_files(lab), *_cgroups(lab), *_loop_devices(lab), *_processes(lab), *_mounts(lab)]


def _files(lab: Lab) -> Iterator[str]:
    if lab.directory.exists():
        yield f"directory {lab.directory}"


def _cgroups(lab: Lab) -> Iterator[str]:
    for tree in hierarchies():
        if (tree / lab.cgroup).exists():
            yield f"control group {tree / lab.cgroup}"


def _loop_devices(lab: Lab) -> Iterator[str]:
    for backing in Path("/sys/block").glob("loop*/loop/backing_file"):
        if _text(backing).startswith(str(lab.directory)):
            yield f"loop device /dev/{backing.parent.parent.name}"


def _processes(lab: Lab) -> Iterator[str]:
    """Processes of its machines (by control group) or with its directory among their words."""
    for process in Path("/proc").glob("[0-9]*"):
        if int(process.name) == os.getpid():
            continue
        words = _text(process / "cmdline")
        if f"/{lab.cgroup}/" in _text(process / "cgroup") or str(lab.directory) in words.split("\0"):
            yield f"process {process.name} ({words.replace(chr(0), ' ').strip()})"


def _mounts(lab: Lab) -> Iterator[str]:
    """Mounts in this namespace or in that of any process, so that a namespace that outlived its machine shows."""
    for mounts in {_text(process / "mountinfo") for process in Path("/proc").glob("[0-9]*")}:
        for line in mounts.splitlines():
            if str(lab.directory) in line:
                yield f"mount {line.split()[4]}"


def _text(file: Path) -> str:
    try:
        return file.read_text(errors="replace")
    except OSError:
        return ""
