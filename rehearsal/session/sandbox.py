"""The namespaces of one rehearsal, seen from outside: start them, enter them, end them.

A stack has at most one rehearsal at a time. Namespaces isolate the rehearsals of different stacks from each other.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from zlib import crc32

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
"""Seconds that the region may take to start, and to end."""


class SandboxError(RuntimeError):
    """A rehearsal cannot be started, entered or ended; the message names the remedy."""


class Sandbox:
    """One stack's rehearsal; `home`: the directory of the scratch files of all rehearsals."""

    def __init__(self, home: Path, stack: str) -> None:
        self.stack = stack
        self.directory = home / stack
        self.log = home / f"{stack}.log"
        """The region's standard output and error; this file stays after the rehearsal."""
        self._lock = home / f"{stack}.lock"
        self._pid = home / f"{stack}.pid"
        self._pipe: int | None = None
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def running(self) -> bool:
        """Whether the rehearsal is up, started by this process or by another one."""
        if not self._lock.exists():
            return False
        with self._lock.open() as lock:
            return not cache.try_lock(lock.fileno())

    @property
    def ready(self) -> bool:
        """Whether the region has started, so that its namespaces can be entered."""
        return (self.directory / ready.FILE).exists()

    @property
    def kept(self) -> bool:
        """Whether the rehearsal is up and outlives the process that started it."""
        return self.running and (self.directory / "kept").exists()

    def start(self, image: Image, outside: OutsideAddresses, region: str) -> None:
        """Start an empty region. It ends with this process, unless `keep` is called.

        `image`: the machines' file systems. `outside`: the addresses outside the region. `region`: its name. Raises
        `SandboxError` when the stack is already being rehearsed, or when the region does not start.
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
            read_end, self._pipe = os.pipe()
            with self.log.open("wb") as log:
                self._process = subprocess.Popen(
                    [SCRIPT, self.directory, self.cgroup, sys.executable, "-m", "rehearsal.server", self.directory],
                    stdin=read_end, stdout=log, stderr=log, start_new_session=True, pass_fds=[lock.fileno()],
                )  # fmt: skip
            os.close(read_end)
        self._pid.write_text(str(self._process.pid))
        end = time.monotonic() + START_LIMIT
        while not self.ready:
            if self._process.poll() is not None or time.monotonic() > end:
                raise SandboxError(
                    f"the region of {self.stack} did not start; read the cause at the end of {self.log}:\n"
                    f"{self.log.read_text(errors='replace')[-3000:]}"
                )
            time.sleep(0.02)

    def keep(self) -> None:
        """Let the region outlive this process."""
        if self._pipe is not None:
            (self.directory / "kept").touch()
            os.write(self._pipe, KEEP)
            os.close(self._pipe)
            self._pipe = None

    def exec_prefix(self) -> list[str]:
        """The command prefix that runs a command in the namespaces, in the operator's place. Raises `SandboxError`."""
        try:
            init = init_below(int(self._pid.read_text()))
        except (OSError, ProcessLookupError) as error:
            raise SandboxError(
                f"{self.stack} is not being rehearsed; `rehearse up {self.stack} --keep` starts it"
            ) from error
        return ["nsenter", f"--target={init}", "--net", "--mount", "--pid", "--"]

    def stop(self) -> None:
        """End the region and wait until it is gone. Raises `SandboxError` after `STOP_LIMIT` seconds."""
        with contextlib.suppress(OSError):
            init = init_below(int(self._pid.read_text())) if self.running else None
            if init:
                os.kill(init, signal.SIGKILL)
        if self._process is not None:
            self._process.wait(timeout=STOP_LIMIT)
        end = time.monotonic() + STOP_LIMIT
        while self.running:
            if time.monotonic() > end:
                raise SandboxError(
                    f"the rehearsal of {self.stack} did not end within {STOP_LIMIT} s; "
                    f"end the process that holds {self._lock}, then repeat `rehearse down {self.stack}`"
                )
            time.sleep(0.02)
        self._sweep()
        self._pid.unlink(missing_ok=True)

    @property
    def cgroup(self) -> str:
        """The name of the control group that holds those of its machines; another cache may rehearse the same stack."""
        return f"ha-wordpress-{self.stack}-{crc32(bytes(self.directory)):08x}"

    def _sweep(self) -> None:
        """Remove the directory and control groups that a killed sandbox.sh left."""
        subprocess.run([SCRIPT, self.directory, self.cgroup, "true"], check=True, capture_output=True)
