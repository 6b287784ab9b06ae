"""Reads the stack's settings once and reports all their errors in one message, before any resource is created."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping

import pulumi
from pulumi.runtime.config import CONFIG, get_config_env, get_config_secret_keys_env, is_config_secret
from pydantic import SecretStr, ValidationError
from pydantic.fields import FieldInfo

from components.cloud.aws.settings import AwsSettings
from components.cloud.digitalocean.settings import DigitalOceanSettings
from components.cloud.existing.settings import ExistingSettings
from components.config import roles
from components.config.errors import RawSettings, SettingsError, error_lines
from components.config.settings import Gluster, Settings

CLOUDS: dict[str, type[Settings]] = {
    "aws": AwsSettings,
    "digitalocean": DigitalOceanSettings,
    "existing": ExistingSettings,
}

DEFAULTS: dict[str, object] = {
    **{name: Settings.model_fields[name].default for name in ("cloud", "topology", "web")},
    "gluster": Gluster().model_dump(),
    "nodes": {},
}
"""Defaults used by the cross-section checks."""

SECRETS = frozenset(
    name for cloud in CLOUDS.values() for name, field in cloud.model_fields.items() if field.annotation is SecretStr
)
"""Names of the settings that a stack's file may hold encrypted only. `secret: true` in Pulumi.yaml cannot say so: the
engine then refuses also the default of a secret that the stack does not need.
"""


def load() -> Settings:
    """The validated settings of the running stack. Their warnings go to the engine's log.

    Raises SettingsError if the settings have errors.
    """
    prefix = f"{pulumi.get_project()}:"
    # the CLI's language host passes all keys in PULUMI_CONFIG, the Automation API in CONFIG
    config = get_config_env() | CONFIG.get()
    encrypted = get_config_secret_keys_env()
    settings = parse(
        {
            name.removeprefix(prefix): value
            for name, value in config.items()
            if name.startswith(prefix) or name == "aws:region"
        },
        plain={name.removeprefix(prefix) for name in config if not (is_config_secret(name) or name in encrypted)},
    )
    for warning in settings.warnings:
        pulumi.log.warn(warning)
    return settings


def parse(config: Mapping[str, str], plain: Collection[str] = ()) -> Settings:
    """Validate settings in the form that the engine passes: objects and lists as JSON, everything else as text.

    A secret is text, whatever it begins with.

    `config`: values by key, without the project's prefix. `plain`: the keys that the stack's file holds unencrypted.
    Raises SettingsError if the settings have errors.
    """
    raw = {name: text if name in SECRETS else _decoded(text) for name, text in config.items()}
    cloud = CLOUDS.get(RawSettings(raw, DEFAULTS).value(str, "cloud") or "aws", AwsSettings)
    fields = {field.alias or name: field for name, field in cloud.model_fields.items()}
    raw = {name: value for name, value in raw.items() if not _is_ignored(name, value, fields)}
    raw = _with_defaults(raw, cloud)
    lines = [
        f"{name}: is not encrypted in the stack's file; make a new one, and set it with: "
        f"pulumi config set --secret {name}"
        for name in sorted(SECRETS & raw.keys() & set(plain))
    ]
    lines += cloud.cross_checks(RawSettings(raw, DEFAULTS))
    try:
        settings = cloud.model_validate(raw)
    except ValidationError as invalid:
        lines = [line for error in invalid.errors() for line in error_lines(error, cloud)] + lines
    if lines:
        raise SettingsError(lines)
    return settings


def _is_ignored(name: str, value: object, fields: Mapping[str, FieldInfo]) -> bool:
    """Whether to ignore a key: it is empty, or belongs to another provider."""
    if value == "" or (":" in name and name not in fields):
        return True
    # Pulumi.yaml's default for a section that the stack file leaves out
    return value == {} and not (name in fields and fields[name].is_required())


def _with_defaults(raw: Mapping[str, object], cloud: type[Settings]) -> dict[str, object]:
    """The settings with the defaults that depend on other settings: the nodes, and the volume's copies."""
    settings = RawSettings(raw, DEFAULTS)
    gluster = raw.get("gluster", {})
    if isinstance(gluster, Mapping) and not {"replica", "arbiter"} & gluster.keys():
        topology = settings.value(str, "topology")
        copies = roles.COPIES[topology] if roles.is_topology(topology) else {}
        gluster = {**copies, **gluster}
    return {**raw, "gluster": gluster, "nodes": raw.get("nodes") or cloud.default_nodes(settings)}


def _decoded(text: str) -> object:
    """JSON objects and lists decoded; any other text as it is."""
    try:
        value: object = json.loads(text) if text.startswith(("{", "[")) else text
    except ValueError:
        return text
    return value
