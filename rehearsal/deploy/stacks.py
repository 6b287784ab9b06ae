"""The stacks of stacks/ and the settings in their files."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

import yaml

from rehearsal.project import REPOSITORY

ENCRYPTION = ("encryptionsalt", "secretsprovider", "encryptedkey")
"""Keys of a stack's file that say how its secrets are encrypted. Nothing here has a key to them."""


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


def without_secrets(content: Mapping[str, Any]) -> dict[str, Any]:
    """The content of a stack's file with a placeholder for each secret, which cannot be decrypted here.

    The placeholder differs when the secret does.
    """
    return {key: _without_secrets(value) for key, value in content.items() if key not in ENCRYPTION}


def _without_secrets(value: Any) -> Any:
    if isinstance(value, Mapping):
        if value.keys() == {"secure"}:
            return f"secret-{hashlib.sha256(str(value['secure']).encode()).hexdigest()[:12]}"
        return {key: _without_secrets(part) for key, part in value.items()}
    return [_without_secrets(part) for part in value] if isinstance(value, list) else value
