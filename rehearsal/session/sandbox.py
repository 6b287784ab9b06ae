"""The namespaces of one rehearsal, from outside: start them, go in, end them.

A stack has at most one rehearsal at a time; different stacks are kept apart by their namespaces.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from rehearsal.region import ready
from rehearsal.region.control_socket import KEEP
from rehearsal.region.outside_addresses import OutsideAddresses
from rehearsal.region.settings import RegionSettings
from rehearsal.setup import cache
from rehearsal.setup.image import Image
from rehearsal.system.processes import init_below

SCRIPT = Path(__file__).parent / "sandbox.sh"
START_LIMIT = 60
STOP_LIMIT = 60


class SandboxError(RuntimeError):
    """A rehearsal cannot be started, found or ended; the message says what to do."""


class Sandbox:
    """One stack's rehearsal. `home`: the directory under which all of them keep their scratch files."""

    def __init__(self, home: Path, stack: str) -> None:
        self.stack = stack
        self.directory = home / stack
        self.log = home / f"{stack}.log"
        """What the region itself complained of; it stays when the rest is gone."""
        self._lock = home / f"{stack}.lock"
        self._pid = home / f"{stack}.pid"
        self._pipe: int | None = None
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def running(self) -> bool:
        """Whether some process, this one or another, has it up."""
        if not self._lock.exists():
            return False
        with self._lock.open() as lock:
            return not cache.try_lock(lock.fileno())

    @property
    def ready(self) -> bool:
        """Whether its region has started, so that one can go in."""
        return (self.directory / ready.FILE).exists()

    @property
    def kept(self) -> bool:
        """Whether it is up and shall stay so."""
        return self.running and (self.directory / "kept").exists()

    def start(self, image: Image, outside: OutsideAddresses, region: str) -> None:
        """Start an empty region. It ends with this process, unless `keep` is called.

        Raises `SandboxError` when the stack is already being rehearsed.
        """
        self._lock.parent.mkdir(parents=True, exist_ok=True)
        with self._lock.open("w") as lock:
            if not cache.try_lock(lock.fileno()):
                raise SandboxError(
                    f"{self.stack} is already being rehearsed; "
                    f"`rehearse status {self.stack}` shows it, `rehearse down {self.stack}` ends it"
                )
            self._sweep()
            self.directory.mkdir()
            RegionSettings(
                directory=self.directory, image=image, cgroup=self.cgroup, name=region, outside=outside
            ).write()
            ours, self._pipe = os.pipe()
            with self.log.open("wb") as log:
                self._process = subprocess.Popen(
                    [SCRIPT, self.directory, self.cgroup, sys.executable, "-m", "rehearsal.server", self.directory],
                    stdin=ours, stdout=log, stderr=log, start_new_session=True, pass_fds=[lock.fileno()],
                )  # fmt: skip
            os.close(ours)
        self._pid.write_text(str(self._process.pid))
        end = time.monotonic() + START_LIMIT
        while not self.ready:
            if self._process.poll() is not None or time.monotonic() > end:
                raise SandboxError(f"the region did not start: {self.log.read_text(errors='replace')[-3000:]}")
            time.sleep(0.02)

    def keep(self) -> None:
        """Let the region outlive this process."""
        if self._pipe is not None:
            (self.directory / "kept").touch()
            os.write(self._pipe, KEEP)
            os.close(self._pipe)
            self._pipe = None

    def exec_prefix(self) -> list[str]:
        """The words to put before a command that shall run as the operator, inside."""
        try:
            init = init_below(int(self._pid.read_text()))
        except (OSError, ProcessLookupError) as error:
            raise SandboxError(
                f"{self.stack} is not being rehearsed; `rehearse up {self.stack} --keep` starts it"
            ) from error
        return ["nsenter", f"--target={init}", "--net", "--mount", "--pid", "--"]

    def stop(self) -> None:
        """End the region and wait until nothing of it is left."""
        with contextlib.suppress(OSError):
            init = init_below(int(self._pid.read_text())) if self.running else None
            if init:
                os.kill(init, signal.SIGKILL)
        if self._process is not None:
            self._process.wait(timeout=STOP_LIMIT)
        end = time.monotonic() + STOP_LIMIT
        while self.running:
            if time.monotonic() > end:
                raise SandboxError(f"{self.stack}'s rehearsal did not end within {STOP_LIMIT} s")
            time.sleep(0.02)
        self._sweep()
        self._pid.unlink(missing_ok=True)

    @property
    def cgroup(self) -> str:
        """The parent of its machines' control groups."""
        return f"ha-wordpress-{self.stack}"

    def _sweep(self) -> None:
        """Remove what a killed janitor could not."""
        subprocess.run([SCRIPT, self.directory, self.cgroup, "true"], check=True, capture_output=True)
