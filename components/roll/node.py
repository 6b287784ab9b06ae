"""Questions and orders to a node over SSH, outside of the graph."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from components.machine.remote import command_text

CONNECT_LIMIT = 5.0
"""Seconds until a node has accepted a connection, and again until it has accepted the login."""

SCRIPT_LIMIT = 240
"""Seconds until a script on a node is killed."""


@dataclass(frozen=True)
class Access:
    """Everything that a login to a node needs; the keys are in OpenSSH's format."""

    address: str
    user: str
    private_key: str
    host_key: str


class NodeError(Exception):
    """A node does not answer, or a script fails on it; the message says which."""


async def run(access: Access, script: Path, params: Mapping[str, str]) -> str:
    """Run a script as root on a node, and return its output. Raises `NodeError`.

    `params`: its environment.
    """
    # takes a third of a second to import, which only an update has to spend
    import asyncssh

    try:
        async with asyncssh.connect(
            access.address,
            username=access.user,
            client_keys=[asyncssh.import_private_key(access.private_key)],
            known_hosts=asyncssh.import_known_hosts(f"* {access.host_key}"),
            config=None,
            agent_path=None,
            connect_timeout=CONNECT_LIMIT,
            login_timeout=CONNECT_LIMIT,
        ) as connection:
            done = await connection.run(command_text(script, params, SCRIPT_LIMIT), timeout=SCRIPT_LIMIT + 30)
    except (OSError, asyncssh.Error) as error:
        raise NodeError(f"no answer by SSH ({str(error) or type(error).__name__})") from error
    if done.exit_status:
        raise NodeError(f"{script.name} failed: {done.stderr!s}".strip())
    return str(done.stdout).strip()
