"""TCP packets of one port, captured by tcpdump at the router's end of its link."""

from __future__ import annotations

import re
import signal
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from rehearsal.region.endpoint import Port
from rehearsal.region.network import ROUTER
from rehearsal.region.service import Service, ServicesRoot
from rehearsal.system.shell import ToolError

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
    """A capture of the TCP packets on one port, from now until `stop`; a power loss of the endpoint ends it early.

    Raises `ToolError` when tcpdump does not start.
    """

    def __init__(self, root: ServicesRoot, port: Port, logs: Path) -> None:
        self._root, self._file, self._log = root, f"/tmp/{port.name}.pcap", logs / f"capture-{port.name}.log"
        self._log.unlink(missing_ok=True)
        # Headers only, and a buffer of 32 MiB, as a volume's traffic comes in bursts. Immediate mode hands over each
        # packet at once: an interrupted tcpdump loses those that wait for more.
        self._tcpdump = Service(
            [
                *root.exec_prefix(ROUTER), "tcpdump", "-i", port.name, "--relinquish-privileges=root",
                "--snapshot-length=96", "--buffer-size=32768", "--immediate-mode", "-w", self._file, "tcp",
            ],
            self._log,
        )  # fmt: skip
        end = time.monotonic() + START_LIMIT
        while "listening on" not in self._log.read_text():
            self._tcpdump.check()
            if time.monotonic() > end:
                raise ToolError(f"tcpdump did not start within {START_LIMIT} s: {self._log.read_text()}")
            time.sleep(0.01)

    def stop(self) -> list[Flow]:
        """End the capture and return its flows.

        Raises `ToolError` when tcpdump missed a packet or had ended before.
        """
        self._tcpdump.check()
        self._tcpdump.stop(signal.SIGINT)
        output = self._log.read_text()
        if not re.search(r"^0 packets dropped by kernel", output, re.MULTILINE):
            raise ToolError(f"tcpdump missed packets on {self._file}: {output}")
        packets = self._root.run("tcpdump", "-n", "-q", "-t", "-r", self._file)
        (self._root.path / self._file[1:]).unlink()
        return [
            Flow(source, int(source_port), target, int(target_port), count)
            for (source, source_port, target, target_port), count in Counter(LINE.findall(packets)).items()
        ]
