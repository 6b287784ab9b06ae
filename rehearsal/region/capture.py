"""What passes one interface of a host, seen by tcpdump from the router's end of its link."""

from __future__ import annotations

import re
import signal
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from rehearsal.region.network import ROUTER, Port
from rehearsal.region.service import Service, ServicesRoot
from rehearsal.system.shell import ToolError, run

START_LIMIT = 10
"""Seconds until tcpdump listens."""

LINE = re.compile(r"^IP (\S+)\.(\d+) > (\S+)\.(\d+): tcp", re.MULTILINE)


@dataclass(frozen=True)
class Flow:
    """TCP packets of one direction of a connection."""

    source: str
    source_port: int
    target: str
    target_port: int
    packets: int


class Capture:
    """The TCP packets on one port of a host from now on, until `stop`; it ends with the host's power.

    Raises `ToolError` when tcpdump does not start.
    """

    def __init__(self, services: ServicesRoot, port: Port, logs: Path) -> None:
        self._services, self._file, self._log = services, f"/tmp/{port.name}.pcap", logs / f"capture-{port.name}.log"
        self._log.unlink(missing_ok=True)
        # headers only, and a buffer of 32 MiB: a volume's traffic comes in bursts; no packet waits for others, as
        # an interrupted tcpdump leaves behind what waits
        self._tcpdump = Service(
            services.words(
                ROUTER, "tcpdump", "-i", port.name, "--relinquish-privileges=root", "--snapshot-length=96",
                "--buffer-size=32768", "--immediate-mode", "-w", self._file, "tcp",
            ),
            self._log,
        )  # fmt: skip
        end = time.monotonic() + START_LIMIT
        while "listening on" not in self._log.read_text():
            self._tcpdump.check()
            if time.monotonic() > end:
                raise ToolError(f"tcpdump did not start within {START_LIMIT} s: {self._log.read_text()}")
            time.sleep(0.01)

    def stop(self) -> list[Flow]:
        """End it; returns what it saw. Raises `ToolError` when it missed any packet, or was ended by something else."""
        self._tcpdump.check()
        self._tcpdump.stop(signal.SIGINT)
        output = self._log.read_text()
        if not re.search(r"^0 packets dropped by kernel", output, re.MULTILINE):
            raise ToolError(f"tcpdump did not see all: {output}")
        seen = run("chroot", self._services.root, "tcpdump", "-n", "-q", "-t", "-r", self._file)
        run("rm", f"{self._services.root}{self._file}")
        return [
            Flow(source, int(source_port), target, int(target_port), packets)
            for (source, source_port, target, target_port), packets in Counter(LINE.findall(seen)).items()
        ]
