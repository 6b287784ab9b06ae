"""A block device of the rehearsal: a sparse file behind a loop device that goes away by itself."""

from __future__ import annotations

import os
import threading
from pathlib import Path

from rehearsal.system.shell import run

_one_at_a_time = threading.Lock()


class Disk:
    """A disk of `size_gb` GiB in a sparse file.

    The loop device is detached right after it was set up: the kernel then frees it when its last user, this
    process's descriptor or a mount, is gone, so that a killed rehearsal leaves none behind (losetup(8), --detach).
    """

    def __init__(self, file: Path, size_gb: int) -> None:
        self.file = file
        with file.open("wb") as image:
            image.truncate(size_gb << 30)
        with _one_at_a_time:
            self.device = Path(run("losetup", "--find", "--show", file).strip())
            self._held = os.open(self.device, os.O_RDONLY)
            run("losetup", "--detach", self.device)

    def close(self) -> None:
        """Give the device back and delete the data."""
        os.close(self._held)
        self.file.unlink()
