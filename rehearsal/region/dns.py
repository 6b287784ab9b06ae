"""The region's name server: dnsmasq, with the names that the cloud gives to databases and balancers."""

from __future__ import annotations

import signal
import threading
from pathlib import Path

from rehearsal.region.network import RESOLVER, ROUTER
from rehearsal.region.service import Service, ServicesRoot

TTL = 5
"""Seconds: what RDS gives its endpoints (RDS user guide, "Multi-AZ DB instance failover")."""


class NameServer:
    """Names and their addresses; a change is in force at once, and seen when a client's answer has aged out."""

    def __init__(self, services: ServicesRoot, logs: Path) -> None:
        self._hosts = services.root / "etc/rehearsal-names"
        self._hosts.touch()
        self._names: dict[str, str] = {}
        self._lock = threading.Lock()
        self._dnsmasq = Service(
            services.words(
                ROUTER, "dnsmasq", "--keep-in-foreground", "--conf-file=/dev/null", "--no-resolv", "--no-hosts",
                "--user=root", "--pid-file", f"--listen-address={RESOLVER}", "--bind-interfaces",
                "--addn-hosts=/etc/rehearsal-names", f"--local-ttl={TTL}", "--log-facility=-",
            ),
            logs / "names.log",
        )  # fmt: skip

    def set(self, name: str, address: str | None) -> None:
        """Let `name` be `address` from now on; None takes the name away."""
        with self._lock:
            if address:
                self._names[name] = address
            else:
                self._names.pop(name, None)
            self._hosts.write_text("".join(f"{where} {what}\n" for what, where in self._names.items()))
            self._dnsmasq.send(signal.SIGHUP)
