"""Stand-in for a managed load balancer: HAProxy, with the target group's own health-check settings."""

from __future__ import annotations

import os
import re
import socket
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import jinja2

from rehearsal.region.ca import Certificate
from rehearsal.region.endpoint import Endpoint
from rehearsal.region.service import Service
from rehearsal.region.service_context import ServiceContext
from rehearsal.system.shell import ToolError

TEMPLATE = Path(__file__).parent / "haproxy.cfg.j2"
SOCKET = "master.sock"
STATES = """\
1
# be_id be_name srv_id srv_name srv_addr srv_op_state srv_admin_state srv_uweight srv_iweight \
srv_time_since_last_change srv_check_status srv_check_result srv_check_health srv_check_state srv_agent_state \
bk_f_forced_id srv_f_forced_id srv_fqdn srv_port srvrecord srv_use_ssl srv_check_port srv_check_addr srv_agent_addr \
srv_agent_port
"""
"""Head of a file of servers' states (HAProxy's Management Guide, "show servers state")."""
LOAD_LIMIT = 30
"""Seconds that HAProxy may take to load a configuration."""


@dataclass(frozen=True)
class HealthCheck:
    """An HTTP request that decides whether a target gets requests."""

    path: str = "/"
    port: int | None = None
    """None: the group's port."""
    interval: int = 30
    """Seconds between two checks."""
    timeout: int = 5
    """Seconds until a check without an answer has failed."""
    healthy: int = 5
    """Number of successful checks in a row that make a target healthy."""
    unhealthy: int = 2
    """Number of failed checks in a row that make a target unhealthy."""
    matcher: str = "200"
    """Status codes of a successful check, as HAProxy's `http-check expect status` reads them."""


@dataclass
class TargetGroup:
    """The machines that requests go to, all on one port."""

    port: int
    check: HealthCheck
    targets: dict[str, str] = field(default_factory=dict)
    """Addresses by target id."""
    fail_open: bool = True
    """Whether all targets get requests when none is healthy."""


@dataclass
class Listener:
    """A port of the load balancer: it forwards to a target group or redirects to another scheme and port.

    `certificate`: for HTTPS; None: the port speaks HTTP.
    """

    port: int
    certificate: Certificate | None = None
    group: str | None = None
    redirect_port: int | None = None
    redirect_code: int = 301


class LoadBalancer:
    """One HAProxy behind one DNS name. Change `listeners` or `groups`, then call `apply`."""

    def __init__(self, name: str, endpoint: Endpoint, context: ServiceContext) -> None:
        self.name, self.endpoint = name, endpoint
        self.listeners: dict[str, Listener] = {}
        self.groups: dict[str, TargetGroup] = {}
        self._root, self._network, self._dns = context.root, context.network, context.dns
        self._log = context.logs / f"{endpoint.name}.log"
        self._lock = threading.Lock()
        self._home = f"/var/lib/rehearsal/{endpoint.name}"
        self._directory = self._root.path / self._home[1:]
        self._directory.mkdir(parents=True)
        self._ca = context.ca
        self._signed: dict[int, Sequence[str]] = {}
        """Names of the certificate of each port."""
        self._network.plug(endpoint, configured=True)
        self._dns.set(name, endpoint.public or endpoint.address)
        self._service: Service | None = None
        self._known: set[tuple[str, str]] = set()
        """Groups and targets that HAProxy has loaded."""

    def apply(self) -> None:
        """Load the listeners and groups as they are now, without dropping a connection.

        Raises `ToolError` when HAProxy refuses the configuration or does not load it within `LOAD_LIMIT`.
        """
        with self._lock:
            # first: a listener that another thread adds in between would have no certificate yet
            self._write_config()
            self._write_states()
            self._write_certificates()
            if self.listeners:
                self._load()
            elif self._service:
                self._service.stop()
                self._service = None

    def destroy(self) -> None:
        """Stop HAProxy and delete its name and endpoint."""
        if self._service:
            self._service.stop()
        self._dns.set(self.name, None)
        self._network.unplug(self.endpoint)

    def departures(self) -> int:
        """How often a health check has taken a target out."""
        return len(re.findall(r"^Server \S+ is DOWN", self._log.read_text(), re.MULTILINE))

    @property
    def _config(self) -> str:
        return f"{self._home}/haproxy.cfg"

    def _write_certificates(self) -> None:
        """Sign the certificates of the listeners, except those whose names have not changed."""
        for listener in self.listeners.values():
            if listener.certificate and self._signed.get(listener.port) != listener.certificate.domains:
                self._ca.sign(self._directory, *listener.certificate.domains)
                pair = [(self._directory / part).read_text() for part in ("certificate.pem", "key.pem")]
                (self._directory / f"port{listener.port}.pem").write_text("".join(pair))
                self._signed[listener.port] = listener.certificate.domains

    def _write_config(self) -> None:
        environment = jinja2.Environment(undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True)
        template = environment.from_string(TEMPLATE.read_text())
        (self._directory / "haproxy.cfg").write_text(template.render(balancer=self, home=self._home))

    def _write_states(self) -> None:
        """Write the state of each target: HAProxy goes on with it, and a new target gets no request until its first
        checks have succeeded, as in the cloud.
        """
        lines = self._ask("@1 show servers state").splitlines()[2:] if self._service else []
        targets = {(name, target): group for name, group in self.groups.items() for target in group.targets}
        for (name, target), group in targets.items():
            if (name, target) not in self._known:
                address = group.targets[target]
                lines.append(f"1 {name} 1 {target} {address} 0 0 1 1 0 1 0 0 6 0 0 0 - {group.port} - 0 0 - - 0")
        self._known = {*targets}
        (self._directory / "states").write_text(STATES + "".join(f"{line}\n" for line in lines if line))

    def _load(self) -> None:
        """Start HAProxy, or reload it, and wait until it has loaded the configuration."""
        if self._service:
            self._root.run("haproxy", "-q", "-c", "-f", self._config)
            loads = self._loads() + 1
            self._ask("reload")
        else:
            prefix = self._root.exec_prefix(self.endpoint.namespace)
            master = f"{self._home}/{SOCKET},mode,600"
            self._service = Service([*prefix, "haproxy", "-W", "-S", master, "-f", self._config], self._log)
            loads = 1
        end = time.monotonic() + LOAD_LIMIT
        while self._loads() < loads:
            self._service.check()
            if time.monotonic() > end:
                output = self._log.read_text()[-2000:]
                raise ToolError(f"HAProxy did not load {self._config} within {LOAD_LIMIT} s: {output}")
            time.sleep(0.01)

    def _loads(self) -> int:
        """Number of configurations that HAProxy has loaded; 0 while it loads one."""
        processes = re.search(
            r"^\d+ +master +(\d+).*\n# workers\n\d+ +worker +0 ", self._ask("show proc"), re.MULTILINE
        )
        return int(processes[1]) + 1 if processes else 0

    def _ask(self, command: str) -> str:
        """Send a command to HAProxy's master process (its Management Guide, "Master CLI") and return the answer.

        The answer is empty while HAProxy loads. SIGUSR2 would reload it too, but a signal that arrives while HAProxy
        still loads is lost or ends it.
        """
        # the path of a socket may have 107 characters: go through a file descriptor, whose path is short
        directory = os.open(self._directory, os.O_PATH)
        try:
            with socket.socket(socket.AF_UNIX) as master:
                master.settimeout(LOAD_LIMIT)
                master.connect(f"/proc/self/fd/{directory}/{SOCKET}")
                master.sendall(f"{command}\n".encode())
                # HAProxy answers and closes the connection after the end of input
                master.shutdown(socket.SHUT_WR)
                return b"".join(iter(lambda: master.recv(65536), b"")).decode()
        except OSError:
            return ""
        finally:
            os.close(directory)
