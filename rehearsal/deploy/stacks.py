"""The stacks of stacks/ and the settings in their files."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from typing import Any

import yaml

from components.config import loader
from components.config.settings import Acme
from rehearsal.project import PROJECT, REPOSITORY

ENCRYPTION = ("encryptionsalt", "secretsprovider", "encryptedkey")
"""Keys of a stack's file that say how its secrets are encrypted. Nothing here has a key to them."""
SECRETS = tuple(f"{PROJECT}:{name}" for name in sorted(loader.SECRETS))
"""Full keys of the settings that the program accepts encrypted only."""

OWN_VALUES = {
    "203.0.113.0/24": "198.18.0.0/24",
    "www.example.com": "www.rehearsal.test",
    "example.com": "rehearsal.test",
    "editor@example.com": "editor@rehearsal.test",
    "Z0123456789EXAMPLE": "Z0123456789REHEARSAL",
}
"""Values for the placeholders of the committed stacks, in the operator's place; the program refuses the placeholders.

The network is one for tests (RFC 2544), and so is the top-level domain (RFC 6761).
"""

OWN_VARIABLES = {"SPACES_ACCESS_KEY_ID": "rehearsal", "SPACES_SECRET_ACCESS_KEY": "rehearsal"}
"""Keys in the operator's environment that the program asks for; no stand-in checks them."""

LETS_ENCRYPT: str = Acme.model_fields["directory"].default
"""The authority of a stack that names none."""


class UnknownStackError(ValueError):
    """stacks/ has no file for the stack; the message lists the stacks that it has."""


def stacks() -> list[str]:
    """The names of all stacks, sorted."""
    files = (REPOSITORY / "stacks").glob("Pulumi.*.yaml")
    return sorted(file.name.removeprefix("Pulumi.").removesuffix(".yaml") for file in files)


def stack_settings(stack: str) -> dict[str, Any]:
    """The settings in a stack's file, by their full keys, with `OWN_VALUES`. Raises `UnknownStackError`."""
    settings: dict[str, Any] = with_own_values(_written(stack))
    return settings


def own_settings(stack: str) -> list[str]:
    """The settings in a stack's file that have a value of `OWN_VALUES`. Raises `UnknownStackError`."""
    return [
        f"{key.split(':')[-1]}.{name}"
        for key, section in _written(stack).items()
        if isinstance(section, Mapping)
        for name, value in section.items()
        if with_own_values(value) != value
    ]


def _written(stack: str) -> dict[str, Any]:
    """The settings as a stack's file has them."""
    if stack not in stacks():
        raise UnknownStackError(f"there is no stack {stack}; stacks/ has: {', '.join(stacks())}")
    settings: dict[str, Any] = yaml.safe_load((REPOSITORY / "stacks" / f"Pulumi.{stack}.yaml").read_text())["config"]
    return settings


def with_own_values(value: Any) -> Any:
    """A setting, or a whole stack's file, with `OWN_VALUES` in the place of placeholders."""
    return _replaced(value, lambda part: OWN_VALUES.get(part, part) if isinstance(part, str) else part)


def certified_name(settings: Mapping[str, Any]) -> str | None:
    """The name that the certificate of a stack's own balancers must have; None for a stack that needs none.

    `settings`: those in the stack's file, by their full keys.
    """
    tls, site, network, nodes = (
        settings.get(f"{PROJECT}:{section}") or {} for section in ("tls", "site", "network", "nodes")
    )
    balancers = settings.get(f"{PROJECT}:topology") == "balancers" or any(
        node.get("role") == "balancer" for node in nodes.values()
    )
    if not tls or "acme" in tls or not balancers:
        return None
    return str(tls.get("domain") or site.get("domain") or network["virtual_ip"])


def acme_directory(settings: Mapping[str, Any]) -> str | None:
    """Address of the directory of the authority that a stack's own balancers ask; None if they ask none.

    `settings`: those in the stack's file, by their full keys.
    """
    acme = (settings.get(f"{PROJECT}:tls") or {}).get("acme")
    return str(acme.get("directory", LETS_ENCRYPT)) if acme else None


def without_secrets(content: Mapping[str, Any]) -> dict[str, Any]:
    """The content of a stack's file with a placeholder for each secret, which cannot be decrypted here.

    The placeholder differs when the secret does.
    """
    return {key: _replaced(value, _placeholder) for key, value in content.items() if key not in ENCRYPTION}


def _placeholder(value: Any) -> Any:
    if isinstance(value, Mapping) and value.keys() == {"secure"}:
        return f"secret-{hashlib.sha256(str(value['secure']).encode()).hexdigest()[:12]}"
    return value


def _replaced(value: Any, replacement: Callable[[Any], Any]) -> Any:
    """A value with the replacement of each of its parts; the parts of a replaced section are left out."""
    value = replacement(value)
    if isinstance(value, Mapping):
        return {key: _replaced(part, replacement) for key, part in value.items()}
    return [_replaced(part, replacement) for part in value] if isinstance(value, list) else value
