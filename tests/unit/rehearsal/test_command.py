"""The stand-in of pulumi-command dials as the plugin does."""

from __future__ import annotations

import asyncio
from typing import Any

import asyncssh
import pytest

from rehearsal.plugins import command
from tests.stand_in import Engine, Rejected


@pytest.fixture
def dials(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, ...]]:
    """The attempts to connect, each without an answer, and the pauses between them."""
    events: list[tuple[Any, ...]] = []

    def unanswered(*arguments: Any) -> None:
        events.append(("dial", *arguments))
        raise TimeoutError("timed out")

    async def passed(pause: float) -> None:
        events.append(("pause", round(pause, 2)))

    monkeypatch.setattr(command, "create_connection", unanswered)
    monkeypatch.setattr(asyncio, "sleep", passed)
    return events


def test_the_attempt_after_the_last_allowed_error_ends_it(dials: list[tuple[Any, ...]]) -> None:
    key = asyncssh.generate_private_key("ssh-ed25519").export_private_key().decode()
    connection = {"host": "198.51.100.4", "privateKey": key, "dialErrorLimit": 2, "perDialTimeout": 5}
    with pytest.raises(Rejected, match=r"after 2 failed attempts: dial tcp 198\.51\.100\.4:22: timed out"):
        Engine(command.provider()).create(
            "Command", "ready", connection=connection, create="true", addPreviousOutputInEnv=False
        )
    dial = ("dial", ("198.51.100.4", 22), 5)
    assert dials == [dial, ("pause", 0.1), dial, ("pause", 0.15), dial]
