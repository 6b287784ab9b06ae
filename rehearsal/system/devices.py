"""Which devices the processes of a control group may open: a BPF program that the kernel asks at each attempt.

The kernel runs it at every open and mknod of a process below the group (its documentation of cgroup v2, "Device
controller"). It works wherever version 2 is mounted, also beside version 1, whose device controller is not needed.
"""

from __future__ import annotations

import ctypes
import os
import platform
import struct
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from rehearsal.system.shell import ToolError

SYSCALL = {"x86_64": 321, "aarch64": 280}
"""The number of bpf(2) by architecture."""
LOAD, ATTACH, DETACH = 5, 8, 9
"""Commands of bpf(2) (linux/bpf.h)."""
CGROUP_DEVICE, ALLOW_MULTI = 15, 2
"""The program's type, and the flag with which units below may add programs of their own (DeviceAllow=)."""
ATTACHED_AT = 6
"""The kind of attachment, BPF_CGROUP_DEVICE."""
BLOCK, CHARACTER = 1, 2
"""Types of devices in the program's context."""


class Device(NamedTuple):
    """A device that may be opened: its type and its numbers; `minor` None: any."""

    type: int
    major: int
    minor: int | None

    @classmethod
    def block(cls, path: Path) -> Device:
        """A block device by its path on this host."""
        number = path.stat().st_rdev
        return cls(BLOCK, os.major(number), os.minor(number))


ORDINARY = (
    *(Device(CHARACTER, 1, minor) for minor in (3, 5, 7, 8, 9)),
    *(Device(CHARACTER, 5, minor) for minor in (0, 1, 2)),
    Device(CHARACTER, 136, None),
    Device(CHARACTER, 10, 229),
)
"""null, zero, full, random, urandom; tty, console, ptmx; all pseudo-terminals; fuse (Linux, devices.txt)."""


class DevicePolicy:
    """The devices that the processes of a group may open. `cgroup`: the group's directory in the tree of version 2."""

    def __init__(self, cgroup: Path) -> None:
        self._cgroup = cgroup
        self._program: int | None = None

    def allow_only(self, devices: Iterable[Device]) -> None:
        """Forbid all other devices from now on; open files stay open. Raises `ToolError` when the kernel refuses."""
        before, self._program = self._program, load(program(devices))
        group = os.open(self._cgroup, os.O_RDONLY | os.O_DIRECTORY)
        try:
            # the new one first: while both are attached, only what both allow may be opened
            bpf(ATTACH, struct.pack("<IIII", group, self._program, ATTACHED_AT, ALLOW_MULTI))
            if before is not None:
                bpf(DETACH, struct.pack("<IIII", group, before, ATTACHED_AT, 0))
                os.close(before)
        finally:
            os.close(group)


def program(devices: Iterable[Device]) -> bytes:
    """The instructions that return 1 for these devices and 0 for all others.

    The context has three words: the type in the low half of the first, the major and the minor number. Registers: r0
    the answer, r1 the context, r2 to r4 the words.
    """
    code = [
        instruction(0x61, 2, 1, offset=0), instruction(0x54, 2, value=0xFFFF),
        instruction(0x61, 3, 1, offset=4), instruction(0x61, 4, 1, offset=8),
    ]  # fmt: skip
    for device in devices:
        wanted = [(2, device.type), (3, device.major), *([] if device.minor is None else [(4, device.minor)])]
        for left, (register, value) in zip(range(len(wanted) + 1, 1, -1), wanted, strict=True):
            # jumps behind the two instructions that answer 1
            code.append(instruction(0x55, register, offset=left, value=value))
        code += [instruction(0xB7, 0, value=1), instruction(0x95)]
    return b"".join([*code, instruction(0xB7, 0, value=0), instruction(0x95)])


def instruction(code: int, target: int = 0, source: int = 0, *, offset: int = 0, value: int = 0) -> bytes:
    """One instruction (the kernel's "BPF Instruction Set Architecture")."""
    return struct.pack("<BBhi", code, source << 4 | target, offset, value)


def load(code: bytes) -> int:
    """Load a program; returns its file descriptor."""
    text, licence = ctypes.create_string_buffer(code, len(code)), ctypes.create_string_buffer(b"GPL")
    return bpf(
        LOAD, struct.pack("<IIQQ", CGROUP_DEVICE, len(code) // 8, ctypes.addressof(text), ctypes.addressof(licence))
    )


def bpf(command: int, attributes: bytes) -> int:
    """Call bpf(2). Raises `ToolError` when the kernel refuses."""
    libc = ctypes.CDLL(None, use_errno=True)
    buffer = ctypes.create_string_buffer(attributes.ljust(128, b"\0"), 128)
    answer: int = libc.syscall(SYSCALL[platform.machine()], command, buffer, 128)
    if answer < 0:
        error = os.strerror(ctypes.get_errno())
        raise ToolError(f"the kernel takes no device policy for control groups (bpf(2): {error}): boot one that does")
    return answer
