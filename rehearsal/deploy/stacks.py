"""The stacks of stacks/ and their settings, as written in their files."""

from __future__ import annotations

from typing import Any

import yaml

from rehearsal.project import REPOSITORY


class UnknownStackError(ValueError):
    """No file of stacks/ belongs to the stack; the message lists the stacks that have one."""


def stacks() -> list[str]:
    files = (REPOSITORY / "stacks").glob("Pulumi.*.yaml")
    return sorted(file.name.removeprefix("Pulumi.").removesuffix(".yaml") for file in files)


def stack_settings(stack: str) -> dict[str, Any]:
    """A stack's settings, by key. Raises `UnknownStackError`."""
    if stack not in stacks():
        raise UnknownStackError(f"there is no stack {stack}; stacks/ has: {', '.join(stacks())}")
    settings: dict[str, Any] = yaml.safe_load((REPOSITORY / "stacks" / f"Pulumi.{stack}.yaml").read_text())["config"]
    return settings
