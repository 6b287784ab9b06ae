"""The region's name server: dnsmasq, with the names that the cloud gives to databases and load balancers."""

from __future__ import annotations

import signal
import threading
from pathlib import Path

from rehearsal.region.network import RESOLVER, ROUTER
from rehearsal.region.service import Service, ServicesRoot

TTL = 5
"""Seconds that a client may cache an answer, as for an endpoint of RDS (RDS user guide, "Multi-AZ DB instance
failover").
"""


class NameServer:
    """DNS names and their addresses. A change holds at once; clients see it when their cached answer has expired."""

    def __init__(self, root: ServicesRoot, logs: Path) -> None:
        self._hosts = root.path / "etc/rehearsal-names"
        self._hosts.touch()
        self._names: dict[str, str] = {}
        self._lock = threading.Lock()
        self._dnsmasq = Service(
            [
                *root.exec_prefix(ROUTER), "dnsmasq", "--keep-in-foreground", "--conf-file=/dev/null", "--no-resolv",
                "--no-hosts", "--user=root", "--pid-file", f"--listen-address={RESOLVER}", "--bind-interfaces",
                "--addn-hosts=/etc/rehearsal-names", f"--local-ttl={TTL}", "--log-facility=-",
            ],
            logs / "names.log",
        )  # fmt: skip

    def set(self, name: str, address: str | None) -> None:
        """Resolve `name` to `address` from now on; None removes the name."""
        with self._lock:
            if address:
                self._names[name] = address
            else:
                self._names.pop(name, None)
            self._hosts.write_text("".join(f"{address} {name}\n" for name, address in self._names.items()))
            self._dnsmasq.send(signal.SIGHUP)
