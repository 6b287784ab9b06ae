"""A block device of the rehearsal: a sparse file behind a loop device that the kernel frees by itself."""

from __future__ import annotations

import os
import threading
from pathlib import Path

from rehearsal.system.shell import run

_setup_lock = threading.Lock()


class Disk:
    """A disk of `size_gb` GiB in a sparse file.

    The loop device is detached right after its setup. The kernel then frees it with its last user, which is this
    process's descriptor or a mount, so that a killed rehearsal leaves none behind (losetup(8), --detach).
    """

    def __init__(self, file: Path, size_gb: int) -> None:
        self.file = file
        with file.open("wb") as image:
            image.truncate(size_gb << 30)
        with _setup_lock:
            self.device = Path(run("losetup", "--find", "--show", file).strip())
            self._descriptor = os.open(self.device, os.O_RDONLY)
            run("losetup", "--detach", self.device)

    def close(self) -> None:
        """Close the device and delete the data."""
        os.close(self._descriptor)
        self.file.unlink()
