"""A service of the cloud's own (name server, balancer, database) as a process in a namespace of the network."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

from rehearsal.system.overlay import overlay
from rehearsal.system.shell import ToolError, run


class ServicesRoot:
    """The tree that the cloud's own services run in: theirs alone, so that no machine has them installed."""

    def __init__(self, directory: Path, lower: list[Path]) -> None:
        self.root = overlay(directory, *lower)
        run("mount", "--rbind", "/dev", self.root / "dev")
        run("mount", "-t", "proc", "proc", self.root / "proc")

    def words(self, namespace: Path, *command: str) -> list[str]:
        """A command as it runs in this tree and that network namespace."""
        return ["nsenter", f"--net={namespace}", "chroot", str(self.root), *command]


class Service:
    """One process of a service: it answers to nobody's terminal and writes to a log of its own."""

    def __init__(self, words: list[str], log: Path) -> None:
        self.words, self.log = words, log
        with log.open("ab") as output:
            self.process = subprocess.Popen(
                words, stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True
            )

    def check(self) -> None:
        """Raise `ToolError`, with the end of its log, when it is no longer there."""
        if self.process.poll() is not None:
            raise ToolError(f"{' '.join(self.words)} ended: {self.log.read_text()[-2000:]}")

    def send(self, number: signal.Signals) -> None:
        os.kill(self.process.pid, number)

    def stop(self, number: signal.Signals = signal.SIGTERM) -> None:
        if self.process.poll() is None:
            os.killpg(self.process.pid, number)
            self.process.wait(timeout=30)
