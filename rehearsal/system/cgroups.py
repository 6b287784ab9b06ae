"""A control group for each machine, in every hierarchy that systemd uses.

Two machines in one group would both manage its tree, and units would fail at random.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable
from pathlib import Path

from rehearsal.system.devices import ORDINARY, Device, DevicePolicy

MOUNT = Path("/sys/fs/cgroup")


def hierarchies() -> list[Path]:
    """Mount points of the hierarchies: one on a host with cgroup 2, two of systemd's on a hybrid host."""
    if (MOUNT / "cgroup.procs").exists():
        return [MOUNT]
    return [tree for tree in (MOUNT / "systemd", MOUNT / "unified") if tree.is_dir()]


class Cgroup:
    """A control group. `name`: its path below the root of each hierarchy; the constructor makes it."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.directories = [tree / name for tree in hierarchies()]
        for directory in self.directories:
            directory.mkdir(parents=True, exist_ok=True)
        # None on a host that has only version 1
        self._devices = next((DevicePolicy(d) for d in self.directories if (d / "cgroup.controllers").exists()), None)

    def allow_devices(self, devices: Iterable[Device]) -> None:
        """Let the group's processes open the ordinary devices and these, and no others.

        A host without version 2 of control groups has no such policy. Raises `ToolError` when the kernel refuses.
        """
        if self._devices:
            self._devices.allow_only([*ORDINARY, *devices])

    def exec_prefix(self) -> list[str]:
        """Command prefix: run in this group."""
        procs = [str(directory / "cgroup.procs") for directory in self.directories]
        return [
            "sh",
            "-ec",
            'n=$1; shift; while [ "$n" -gt 0 ]; do echo $$ >"$1"; shift; n=$((n - 1)); done; exec "$@"',
            "sh",
            str(len(procs)),
            *procs,
        ]

    def remove(self) -> None:
        """Remove the group and the empty ones below it."""
        for directory in self.directories:
            for folder, _, _ in os.walk(directory, topdown=False):
                with contextlib.suppress(OSError):
                    Path(folder).rmdir()
