"""The stacks of stacks/ and the settings in their files."""

from __future__ import annotations

from typing import Any

import yaml

from rehearsal.project import REPOSITORY


class UnknownStackError(ValueError):
    """stacks/ has no file for the stack; the message lists the stacks that it has."""


def stacks() -> list[str]:
    """The names of all stacks, sorted."""
    files = (REPOSITORY / "stacks").glob("Pulumi.*.yaml")
    return sorted(file.name.removeprefix("Pulumi.").removesuffix(".yaml") for file in files)


def stack_settings(stack: str) -> dict[str, Any]:
    """The settings in a stack's file, by their full keys. Raises `UnknownStackError`."""
    if stack not in stacks():
        raise UnknownStackError(f"there is no stack {stack}; stacks/ has: {', '.join(stacks())}")
    settings: dict[str, Any] = yaml.safe_load((REPOSITORY / "stacks" / f"Pulumi.{stack}.yaml").read_text())["config"]
    return settings
