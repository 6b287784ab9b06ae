"""Stand-in for a managed database: MariaDB at one endpoint of two, behind one DNS name.

RDS Multi-AZ copies every block to a standby before it acknowledges a write. On a failure it starts the engine there
and moves the name. Here both endpoints use one data directory, which holds what such a copy would. The engine's crash
recovery and the move of the name are real; the time that Amazon's own failover takes is not rehearsed.
"""

from __future__ import annotations

import itertools
import shutil
import signal
import time
from dataclasses import dataclass
from pathlib import Path

from rehearsal.region.endpoint import Endpoint
from rehearsal.region.service import Service
from rehearsal.region.service_context import ServiceContext
from rehearsal.system.shell import ToolError

START_LIMIT = 60
"""Seconds until the engine answers, its crash recovery included."""


@dataclass(frozen=True)
class Account:
    """The first database of a server, and its administrator, which has every right on the server."""

    database: str
    user: str
    password: str


@dataclass(frozen=True)
class DatabaseSpec:
    """The parameters with which a cloud's API makes a database server."""

    name: str
    """DNS name that clients connect to."""
    endpoints: list[Endpoint]
    """The primary's endpoint and those of its standbys; the engine runs at one of them at a time."""
    port: int
    account: Account
    variables: dict[str, str]
    """MariaDB's server variables, as a parameter group sets them."""


class Database:
    """A database server, at its first endpoint. `key`: a short name for its files, unique in the region."""

    def __init__(self, key: str, spec: DatabaseSpec, context: ServiceContext) -> None:
        self.name, self.endpoints, self.active = spec.name, spec.endpoints, spec.endpoints[0]
        self._spec = spec
        self._root, self._network, self._dns = context.root, context.network, context.dns
        self._log = context.logs / f"{key}.log"
        self._home = f"/var/lib/rehearsal/{key}"
        self._directory = self._root.path / self._home[1:]
        self._next_endpoint = itertools.cycle(spec.endpoints)
        self._directory.mkdir(parents=True)
        context.ca.sign(self._directory, spec.name)
        self._root.run(
            "mariadb-install-db", "--no-defaults", f"--datadir={self._home}/data", "--skip-test-db",
            "--auth-root-authentication-method=socket", "--skip-name-resolve", "--force", timeout=120,
        )  # fmt: skip
        self._root.run("chown", "-R", "mysql:", self._home)
        self._start(*self._first_options())
        (self._directory / "first.sql").unlink()

    @property
    def _local(self) -> list[str]:
        """Options of a client that connects through the socket: without TLS, as it would not trust the region's CA."""
        return ["--no-defaults", f"--socket={self._home}/socket", "--skip-ssl"]

    def fail_over(self) -> None:
        """Take the active endpoint down, start the engine at the next one and move the name there.

        Raises `ToolError` when there is no standby, or the engine does not start.
        """
        if len(self.endpoints) < 2:
            raise ToolError(f"{self.name} cannot fail over: it has no standby; make it with one")
        self._network.cut(*self.active.ports)
        self._service.stop(signal.SIGKILL)
        self._network.unplug(self.active)
        self._start()

    def dump(self, file: Path) -> None:
        """Write all databases to a file, as a final snapshot keeps them."""
        file.write_text(self._root.run("mariadb-dump", *self._local, "--all-databases", timeout=300))

    def execute(self, statements: str) -> None:
        """Run SQL as the server's administrator, as a cloud's control panel does."""
        self._root.run("mariadb", *self._local, stdin=statements)

    def destroy(self) -> None:
        """Stop the server and delete its name and data."""
        self._service.stop()
        self._network.unplug(self.active)
        self._dns.set(self.name, None)
        shutil.rmtree(self._directory)

    def _start(self, *options: str) -> None:
        """Start the engine at the next endpoint, wait until it answers, and move the name there."""
        self.active = next(self._next_endpoint)
        self._network.plug(self.active, configured=True)
        variables = [f"--{name.replace('_', '-')}={value}" for name, value in self._spec.variables.items()]
        self._service = Service(
            [
                *self._root.exec_prefix(self.active.namespace), "mariadbd", "--no-defaults", "--user=mysql",
                f"--port={self._spec.port}", "--skip-name-resolve", f"--bind-address={self.active.address}",
                f"--datadir={self._home}/data", f"--pid-file={self._home}/pid",
                f"--socket={self._home}/socket", f"--ssl-cert={self._home}/certificate.pem",
                f"--ssl-key={self._home}/key.pem", *variables, *options,
            ],
            self._log,
        )  # fmt: skip
        self._wait()
        self._dns.set(self.name, self.active.address)

    def _first_options(self) -> list[str]:
        """Write the SQL that makes the first account, and return the option that runs it at the first start."""
        account = self._spec.account
        password = account.password.replace("\\", "\\\\").replace("'", "\\'")
        file = self._directory / "first.sql"
        file.touch(mode=0o600)
        file.write_text(
            f"CREATE DATABASE `{account.database}`;\n"
            f"CREATE USER '{account.user}'@'%' IDENTIFIED BY '{password}';\n"
            f"GRANT ALL ON *.* TO '{account.user}'@'%' WITH GRANT OPTION;\n"
        )
        status = self._directory.stat()
        shutil.chown(file, status.st_uid, status.st_gid)
        return [f"--init-file={self._home}/first.sql"]

    def _wait(self) -> None:
        end = time.monotonic() + START_LIMIT
        while time.monotonic() < end:
            self._service.check()
            try:
                self._root.run("mariadb-admin", *self._local, "ping")
                return
            except ToolError:
                time.sleep(0.05)
        raise ToolError(f"{self.name} did not start within {START_LIMIT} s: see {self._log}")
