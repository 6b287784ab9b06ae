"""The stacks that there are, and their settings as they stand in their files."""

from __future__ import annotations

from typing import Any

import yaml

from rehearsal.project import REPOSITORY
from rehearsal.session.sandbox import SandboxError


def stacks() -> list[str]:
    files = (REPOSITORY / "stacks").glob("Pulumi.*.yaml")
    return sorted(file.name.removeprefix("Pulumi.").removesuffix(".yaml") for file in files)


def stack_settings(stack: str) -> dict[str, Any]:
    """A stack's settings. Raises `SandboxError` when there is no such stack."""
    if stack not in stacks():
        raise SandboxError(f"there is no stack {stack}; stacks/ has: {', '.join(stacks())}")
    settings: dict[str, Any] = yaml.safe_load((REPOSITORY / "stacks" / f"Pulumi.{stack}.yaml").read_text())["config"]
    return settings
