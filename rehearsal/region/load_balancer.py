"""Stand-in for a managed load balancer: HAProxy, with the target group's own health-check settings."""

from __future__ import annotations

import os
import re
import socket
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

import jinja2

from rehearsal.region.ca import CertificateAuthority
from rehearsal.region.dns import NameServer
from rehearsal.region.network import Host, Network
from rehearsal.region.service import Service, ServicesRoot
from rehearsal.system.shell import ToolError, run

TEMPLATE = Path(__file__).parent / "haproxy.cfg.j2"
SOCKET = "master.sock"
LOAD_LIMIT = 30
"""Seconds that HAProxy may take for a configuration."""


@dataclass(frozen=True)
class HealthCheck:
    """Times in seconds; `healthy` and `unhealthy`: how many answers in a row change a target's state."""

    path: str = "/"
    port: int | None = None
    interval: int = 30
    timeout: int = 5
    healthy: int = 5
    unhealthy: int = 2
    matcher: str = "200"


@dataclass
class TargetGroup:
    """Where requests go: addresses by target id, all on one port; `fail_open`: to all of them when none is healthy."""

    port: int
    check: HealthCheck
    targets: dict[str, str] = field(default_factory=dict)
    fail_open: bool = True


@dataclass
class Listener:
    """A port that the balancer answers on: it forwards to a target group or redirects to another scheme and port."""

    port: int
    tls: bool
    group: str | None = None
    redirect_port: int | None = None
    redirect_code: int = 301


class Balancer:
    """One HAProxy behind one name. Change `listeners` or a group, then `apply`."""

    def __init__(
        self,
        key: str,
        name: str,
        host: Host,
        services: ServicesRoot,
        network: Network,
        dns: NameServer,
        ca: CertificateAuthority,
        logs: Path,
    ) -> None:
        self.name, self.host = name, host
        self.listeners: dict[str, Listener] = {}
        self.groups: dict[str, TargetGroup] = {}
        self._services, self._network, self._dns, self._log = services, network, dns, logs / f"{key}.log"
        self._lock = threading.Lock()
        self._home = f"/var/lib/rehearsal/{key}"
        self._directory = services.root / self._home[1:]
        self._directory.mkdir(parents=True)
        ca.sign(name, self._directory)
        pair = [(self._directory / part).read_text() for part in ("certificate.pem", "key.pem")]
        (self._directory / "listener.pem").write_text("".join(pair))
        network.plug(host, configured=True)
        dns.set(name, host.public or host.address)
        self._service: Service | None = None

    def apply(self) -> None:
        """Bring HAProxy in line with the listeners and groups, without dropping a connection."""
        with self._lock:
            environment = jinja2.Environment(undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True)
            template = environment.from_string(TEMPLATE.read_text())
            (self._directory / "haproxy.cfg").write_text(template.render(balancer=self, home=self._home))
            config = f"{self._home}/haproxy.cfg"
            if self._service and not self.listeners:
                self._service.stop()
                self._service = None
                return
            if self._service:
                run("chroot", self._services.root, "haproxy", "-q", "-c", "-f", config)
                loads = self._loads() + 1
                self._ask("reload")
            elif self.listeners:
                words = self._services.words(
                    self.host.namespace, "haproxy", "-W", "-S", f"{self._home}/{SOCKET},mode,600", "-f", config
                )
                self._service, loads = Service(words, self._log), 1
            else:
                return
            end = time.monotonic() + LOAD_LIMIT
            while self._loads() < loads:
                self._service.check()
                if time.monotonic() > end:
                    raise ToolError(f"HAProxy did not take its new configuration: {self._log.read_text()[-2000:]}")
                time.sleep(0.01)

    def _loads(self) -> int:
        """How many configurations HAProxy has loaded; 0 while it loads one."""
        processes = re.search(
            r"^\d+ +master +(\d+).*\n# workers\n\d+ +worker +0 ", self._ask("show proc"), re.MULTILINE
        )
        return int(processes[1]) + 1 if processes else 0

    def _ask(self, command: str) -> str:
        """What HAProxy's master process says to a command (its Management Guide, "Master CLI"); nothing while it loads.

        A signal would do for a reload, but one that comes while HAProxy still loads is lost, or its end.
        """
        # a socket's path may have 107 characters, and a file descriptor's name is a short one
        directory = os.open(self._directory, os.O_PATH)
        try:
            with socket.socket(socket.AF_UNIX) as master:
                master.settimeout(LOAD_LIMIT)
                master.connect(f"/proc/self/fd/{directory}/{SOCKET}")
                master.sendall(f"{command}\n".encode())
                # it answers when it has heard the end
                master.shutdown(socket.SHUT_WR)
                return b"".join(iter(lambda: master.recv(65536), b"")).decode()
        except OSError:
            return ""
        finally:
            os.close(directory)

    def destroy(self) -> None:
        if self._service:
            self._service.stop()
        self._dns.set(self.name, None)
        self._network.unplug(self.host)
