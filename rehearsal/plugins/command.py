"""Stand-in for pulumi-command 1.2.1's remote part, over asyncssh.

It is used only where the operator has no real pulumi-resource-command. It refuses by name the inputs of the real plugin
that it does not support.
"""

from __future__ import annotations

import asyncio
import contextlib
import uuid
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from socket import create_connection
from typing import Any, Literal

import asyncssh

from rehearsal.plugins.protocol import InputModel, InputsT, Properties, Provider, Refused, ResourceType

HANDSHAKE = 15
"""Seconds that a machine has for the SSH handshake and the login; the real plugin has no limit."""


class Connection(InputModel):
    host: str
    user: str = "root"
    port: float = 22
    private_key: str
    host_key: str | None = None
    dial_error_limit: int = 10
    per_dial_timeout: int = 15


class Remote(ResourceType[InputsT]):
    """The base of both resource types: a connection to a machine."""

    def read(self, resource_id: str) -> bool:
        return True

    @contextlib.asynccontextmanager
    async def connected(self, to: Connection) -> AsyncIterator[asyncssh.SSHClientConnection]:
        """Dial as the plugin does: again after an error, with pauses from 0.1 s to 5 s, each 1.5 times the one before.

        The attempt after the last allowed error ends it (connection.go). A limit of ten is then about 11 s of refusals,
        one of sixty about 261 s, as measured with the real one; an attempt without an answer adds `per_dial_timeout`.
        """
        known = asyncssh.import_known_hosts(f"* {to.host_key}") if to.host_key else None
        key = asyncssh.import_private_key(to.private_key)
        pause = 0.1
        for errors in range(max(to.dial_error_limit, 0) + 1):
            try:
                # the plugin's limit is one for the TCP connection, not for the handshake on it
                socket = await asyncio.to_thread(create_connection, (to.host, int(to.port)), to.per_dial_timeout)
                socket.setblocking(False)
                connection = await asyncssh.connect(
                    sock=socket, username=to.user, client_keys=[key], known_hosts=known, config=None, agent_path=None,
                    login_timeout=HANDSHAKE,
                )  # fmt: skip
                break
            except (OSError, asyncssh.Error, TimeoutError) as error:
                if isinstance(error, asyncssh.HostKeyNotVerifiable):
                    raise Refused(f"{to.user}@{to.host}: the host key is not the expected one") from error
                if errors >= to.dial_error_limit:
                    raise Refused(
                        f"after {errors} failed attempts: dial tcp {to.host}:{to.port:.0f}: {error}"
                    ) from error
                await asyncio.sleep(pause)
                pause = min(pause * 1.5, 5)
        async with connection:
            yield connection


class CommandInputs(InputModel):
    connection: Connection
    create: str | None = None
    update: str | None = None
    delete: str | None = None
    stdin: str | None = None
    triggers: list[Any] = []
    logging: Literal["stdout", "stderr", "stdoutAndStderr", "none"] = "stdoutAndStderr"
    add_previous_output_in_env: bool = True


class Command(Remote[CommandInputs]):
    """A command that runs on a machine when it is created, updated and deleted."""

    token = "command:remote:Command"
    replaces = frozenset({"triggers"})
    computed = frozenset({"stdout", "stderr"})

    def check(self, inputs: Properties) -> Iterator[tuple[str, str]]:
        if inputs.get("addPreviousOutputInEnv", True):
            yield (
                "addPreviousOutputInEnv",
                f"{self.token}: needs sshd's AcceptEnv, which the rehearsal does not support; set it to false",
            )

    def create(self, inputs: CommandInputs, urn: str) -> tuple[str, Properties]:
        return f"create{uuid.uuid4().hex}", self.run(inputs, inputs.create)

    def update(self, resource_id: str, old: Properties, inputs: CommandInputs) -> Properties:
        return self.run(inputs, inputs.update or inputs.create)

    def delete(self, resource_id: str, state: Properties, inputs: CommandInputs) -> None:
        self.run(inputs, inputs.delete)

    def run(self, inputs: CommandInputs, text: str | None) -> Properties:
        return asyncio.run(self._run(inputs, text)) if text else {"stdout": "", "stderr": ""}

    async def _run(self, inputs: CommandInputs, text: str) -> Properties:
        async with self.connected(inputs.connection) as connection:
            done = await connection.run(text, input=inputs.stdin or "")
        if done.exit_status:
            ended = (
                f"exited with status {done.exit_status}" if done.exit_status > 0 else f"was ended by {done.exit_signal}"
            )
            raise Refused(f"Process {ended}: running {text!r}:\n{done.stdout!s}{done.stderr!s}")
        return {"stdout": str(done.stdout).rstrip("\n"), "stderr": str(done.stderr).rstrip("\n")}


class CopyToRemoteInputs(InputModel):
    connection: Connection
    source: dict[str, str]
    remote_path: str
    triggers: list[Any] = []


class CopyToRemote(Remote[CopyToRemoteInputs]):
    """A local file copied to a machine."""

    token = "command:remote:CopyToRemote"
    replaces = frozenset({"triggers", "remotePath"})

    def check(self, inputs: Properties) -> Iterator[tuple[str, str]]:
        source = inputs.get("source")
        if isinstance(source, dict) and "path" not in source:
            yield "source", f"{self.token}: only file assets are supported by the rehearsal"

    def create(self, inputs: CopyToRemoteInputs, urn: str) -> tuple[str, Properties]:
        asyncio.run(self._copy(inputs))
        return f"copy{uuid.uuid4().hex}", {}

    def update(self, resource_id: str, old: Properties, inputs: CopyToRemoteInputs) -> Properties:
        asyncio.run(self._copy(inputs))
        return {}

    def delete(self, resource_id: str, state: Properties, inputs: CopyToRemoteInputs) -> None: ...

    async def _copy(self, inputs: CopyToRemoteInputs) -> None:
        source = Path(inputs.source["path"])
        async with self.connected(inputs.connection) as connection, connection.start_sftp_client() as files:
            await files.put(str(source), inputs.remote_path)


def provider() -> Provider:
    return Provider("command", [Command(), CopyToRemote()])
