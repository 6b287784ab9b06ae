"""A service of the cloud's own (name server, load balancer, database) as a process in a namespace of the network."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

from rehearsal.system.overlay import overlay
from rehearsal.system.shell import ToolError, run

STOP_LIMIT = 30
"""Seconds that a service may take to end."""


class ServicesRoot:
    """The root file system of the services: it has their packages, which no machine has installed."""

    def __init__(self, directory: Path, lower: list[Path]) -> None:
        """Mount it below `directory`, as an overlay of the trees `lower`, the topmost first."""
        self.path = overlay(directory, *lower)
        run("mount", "--rbind", "/dev", self.path / "dev")
        run("mount", "-t", "proc", "proc", self.path / "proc")

    def exec_prefix(self, namespace: Path) -> list[str]:
        """Command prefix: run in this file system and in a network namespace."""
        return ["nsenter", f"--net={namespace}", *self.chroot_prefix()]

    def chroot_prefix(self) -> list[str]:
        """Command prefix: run in this file system, in the caller's network namespace."""
        return ["chroot", str(self.path)]

    def run(self, *command: str, stdin: str | None = None, timeout: float = 60) -> str:
        """Run one command in this file system and return its standard output; `timeout` in seconds.

        Raises `ToolError` when the command fails or takes longer.
        """
        return run(*self.chroot_prefix(), *command, stdin=stdin, timeout=timeout)


class Service:
    """One process of a service, in a session of its own, that writes to its log."""

    def __init__(self, command: list[str], log: Path) -> None:
        self.command, self.log = command, log
        with log.open("ab") as output:
            self.process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True
            )

    def check(self) -> None:
        """Raise `ToolError`, with the end of the log, when the process has ended."""
        if self.process.poll() is not None:
            raise ToolError(f"{' '.join(self.command)} ended: {self.log.read_text()[-2000:]}")

    def send(self, number: signal.Signals) -> None:
        os.kill(self.process.pid, number)

    def stop(self, number: signal.Signals = signal.SIGTERM) -> None:
        """Send a signal to the process and its children, and wait for its end."""
        if self.process.poll() is None:
            os.killpg(self.process.pid, number)
            self.process.wait(timeout=STOP_LIMIT)
