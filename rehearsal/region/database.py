"""Stand-in for a managed database: MariaDB on one host of two, behind one name.

RDS Multi-AZ writes every block to a second host before it answers, and on a failure starts the engine there and
moves the name. Here both hosts see one data directory, which is what that mirror amounts to; the engine's crash
recovery and the move of the name are real. How long Amazon takes for it is not to be learned here.
"""

from __future__ import annotations

import itertools
import shutil
import signal
import time
from dataclasses import dataclass
from pathlib import Path

from rehearsal.region.ca import CertificateAuthority
from rehearsal.region.dns import NameServer
from rehearsal.region.network import Host, Network
from rehearsal.region.service import Service, ServicesRoot
from rehearsal.system.shell import ToolError, run


@dataclass(frozen=True)
class Account:
    database: str
    user: str
    password: str


class Database:
    """A database server called `endpoint`, on the first of its hosts (two where it can fail over).

    `settings`: server variables, as a parameter group sets them. `key`: a short name of its own for files.
    """

    def __init__(
        self, key: str, endpoint: str, hosts: list[Host], port: int, account: Account, settings: dict[str, str],
        services: ServicesRoot, network: Network, dns: NameServer, ca: CertificateAuthority, logs: Path,
    ) -> None:  # fmt: skip
        self.endpoint, self.hosts, self.port, self.settings = endpoint, hosts, port, settings
        self._services, self._network, self._dns, self._log = (services, network, dns, logs / f"{key}.log")
        self._home = f"/var/lib/rehearsal/{key}"
        self._directory = services.root / self._home[1:]
        self._next_host = itertools.cycle(hosts)
        self._directory.mkdir(parents=True)
        ca.sign(endpoint, self._directory)
        run(
            "chroot", services.root, "mariadb-install-db", "--no-defaults", f"--datadir={self._home}/data",
            "--skip-test-db", "--auth-root-authentication-method=socket", "--skip-name-resolve", "--force", timeout=120,
        )  # fmt: skip
        run("chroot", services.root, "chown", "-R", "mysql:", self._home)
        self._account = account
        self._start(first=True)

    def fail_over(self) -> None:
        """The active host loses power; the other one starts the engine and takes the name."""
        if len(self.hosts) < 2:
            raise ToolError(f"{self.endpoint} has one host: nothing to fail over to")
        for port in self.active.ports:
            self._network.cut(port)
        self._service.stop(signal.SIGKILL)
        self._network.unplug(self.active)
        self._start()

    def dump(self, file: Path) -> None:
        """Write all that it holds to a file, as a final snapshot keeps it."""
        socket = f"--socket={self._home}/socket"
        file.write_text(
            run("chroot", self._services.root, "mariadb-dump", "--no-defaults", socket, "--all-databases", timeout=300)
        )

    def execute(self, statements: str) -> None:
        """Run SQL as the server's own administrator, as a cloud's control panel does."""
        socket = f"--socket={self._home}/socket"
        run("chroot", self._services.root, "mariadb", "--no-defaults", socket, stdin=statements)

    def destroy(self) -> None:
        self._service.stop()
        self._network.unplug(self.active)
        self._dns.set(self.endpoint, None)
        shutil.rmtree(self._directory)

    def _start(self, *, first: bool = False) -> None:
        self.active = next(self._next_host)
        self._network.plug(self.active, configured=True)
        options = [f"--{name.replace('_', '-')}={value}" for name, value in self.settings.items()]
        if first:
            options.append(f"--init-file={self._home}/first.sql")
            account, quoted = (self._account, self._account.password.replace("\\", "\\\\").replace("'", "\\'"))
            first_file = self._directory / "first.sql"
            first_file.touch(mode=0o600)
            first_file.write_text(
                f"CREATE DATABASE `{account.database}`;\n"
                f"CREATE USER '{account.user}'@'%' IDENTIFIED BY '{quoted}';\n"
                f"GRANT ALL ON *.* TO '{account.user}'@'%' WITH GRANT OPTION;\n"
            )
            shutil.chown(first_file, *owner(self._directory))
        self._service = Service(
            self._services.words(
                self.active.namespace, "mariadbd", "--no-defaults", "--user=mysql", f"--port={self.port}",
                "--skip-name-resolve", f"--bind-address={self.active.address}",
                f"--datadir={self._home}/data", f"--pid-file={self._home}/pid",
                f"--socket={self._home}/socket", f"--ssl-cert={self._home}/certificate.pem",
                f"--ssl-key={self._home}/key.pem", *options,
            ),
            self._log,
        )  # fmt: skip
        self._wait()
        (self._directory / "first.sql").unlink(missing_ok=True)
        self._dns.set(self.endpoint, self.active.address)

    def _wait(self) -> None:
        end = time.monotonic() + 60
        while time.monotonic() < end:
            self._service.check()
            try:
                run(
                    "chroot",
                    self._services.root,
                    "mariadb-admin",
                    "--no-defaults",
                    f"--socket={self._home}/socket",
                    "ping",
                )
                return
            except ToolError:
                time.sleep(0.05)
        raise ToolError(f"{self.endpoint} did not start within 60 s: see {self._log}")


def owner(path: Path) -> tuple[int, int]:
    status = path.stat()
    return status.st_uid, status.st_gid
