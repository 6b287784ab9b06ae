"""The stack's settings, read once: all mistakes are told in one message, before anything is made."""

from __future__ import annotations

import json
from collections.abc import Mapping

import pulumi
from pulumi.runtime.config import CONFIG, get_config_env
from pydantic import ValidationError
from pydantic.fields import FieldInfo

from components.cloud.aws.settings import AwsSettings
from components.cloud.digitalocean.settings import DigitalOceanSettings
from components.cloud.existing.settings import ExistingSettings
from components.config import errors, roles
from components.config.errors import RawSettings, SettingsError
from components.config.settings import Gluster, Settings

CLOUDS: dict[object, type[Settings]] = {
    "aws": AwsSettings,
    "digitalocean": DigitalOceanSettings,
    "existing": ExistingSettings,
}


DEFAULTS = {name: Settings.model_fields[name].default for name in ("cloud", "topology", "web")} | {
    "gluster": Gluster().model_dump(),
    "nodes": {},
}
"""What holds where nothing is said, as far as one section says something against another."""


def load() -> Settings:
    """The settings of the stack that is being run; its warnings go to the engine's log.

    Raises `SettingsError`.
    """
    prefix = f"{pulumi.get_project()}:"
    # the CLI's language host hands all keys over in PULUMI_CONFIG, the Automation API in CONFIG
    given = get_config_env() | CONFIG.get()
    settings = parse(
        {
            name.removeprefix(prefix): value
            for name, value in given.items()
            if name.startswith(prefix) or name == "aws:region"
        }
    )
    for warning in settings.warnings:
        pulumi.log.warn(warning)
    return settings


def parse(given: Mapping[str, str]) -> Settings:
    """Settings in the form that the engine hands them over: objects as JSON, everything else as it stands.

    Raises `SettingsError`.
    """
    raw = {name: _value(text) for name, text in given.items()}
    cloud = CLOUDS.get(raw.get("cloud"), AwsSettings)
    fields = {field.alias or name: field for name, field in cloud.model_fields.items()}
    raw = {name: value for name, value in raw.items() if not _unsaid(name, value, fields)}
    raw = _completed(raw, cloud)
    lines = list(cloud.cross_checks(RawSettings(raw, DEFAULTS)))
    try:
        settings = cloud.model_validate(raw)
    except ValidationError as error:
        lines = [line for each in error.errors() for line in errors.of_pydantic(each, cloud)] + lines
    if lines:
        raise SettingsError(lines)
    return settings


def _unsaid(name: str, value: object, fields: Mapping[str, FieldInfo]) -> bool:
    """Whether a key is there without a word of the operator's, or in the words of another cloud's provider."""
    if value == "" or (":" in name and name not in fields):
        return True
    # what Pulumi.yaml hands over for an object that the stack's file leaves out
    return value == {} and not (name in fields and fields[name].is_required())


def _completed(raw: Mapping[str, object], cloud: type[Settings]) -> dict[str, object]:
    """The settings with what follows from others where nothing is said: the nodes, and the copies of the files."""
    given = RawSettings(raw, DEFAULTS)
    gluster = raw.get("gluster", {})
    if isinstance(gluster, Mapping) and not {"replica", "arbiter"} & gluster.keys():
        gluster = {**roles.COPIES.get(given.value(str, "topology"), {}), **gluster}
    return {**raw, "gluster": gluster, "nodes": raw.get("nodes") or cloud.default_nodes(given)}


def _value(text: str) -> object:
    try:
        return json.loads(text) if text.startswith(("{", "[")) else text
    except ValueError:
        return text
