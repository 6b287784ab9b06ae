"""Clients that read or write files on the volume, on a node."""

from __future__ import annotations

import contextlib
import json
import subprocess
import threading
import time
from pathlib import Path
from typing import Literal

from rehearsal.probes.base import Attempt, Probe

FILES_SCRIPT = (Path(__file__).parent / "agents" / "files.py").read_text()


class FileProbe(Probe):
    """A reader or writer on a node, in a directory of the volume.

    `exec_prefix`: the command prefix that runs a command on the node; the process dies with the node.
    """

    def __init__(self, kind: Literal["read", "write"], node: str, exec_prefix: list[str], directory: str) -> None:
        super().__init__(kind, node)
        self.writer = f"{node}-{kind}-{time.time_ns()}"
        """The subdirectory that this client's files are in."""
        self._process = subprocess.Popen(
            [*exec_prefix, "python3", "-u", "-c", FILES_SCRIPT, kind, directory, self.writer],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
        )  # fmt: skip
        self._thread = threading.Thread(target=self._collect, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        if self._process.stdin:
            with contextlib.suppress(BrokenPipeError):
                self._process.stdin.close()
        self._process.wait(timeout=30)
        self._thread.join()

    def _collect(self) -> None:
        for line in self._process.stdout or ():
            start, seconds, number, error = json.loads(line)
            self.attempts.append(Attempt(start, seconds, error))
            if number is not None:
                self.acknowledged.append(number)
