"""Writes docs/settings.md and stacks/schema.json from the pydantic models of the settings: `make docs`."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue, models_json_schema
from pydantic_core import core_schema

from components.config import roles
from components.config.loader import CLOUDS
from components.config.settings import PortRange, Settings

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "settings.md"
SCHEMA = ROOT / "stacks" / "schema.json"
PREFIX = "ha-wordpress:"
TITLES = {"aws": "Amazon", "digitalocean": "DigitalOcean", "existing": "Existing machines"}

INTRO = """# Settings

The file `stacks/Pulumi.<stack>.yaml` has the settings of a stack. `make docs` writes this page from the models in
`components/config/settings.py` and `components/cloud/<cloud>/settings.py`, together with `stacks/schema.json`: editors
with the YAML language server complete and check the keys with it. `pulumi preview` also checks one key against another,
and reports all errors at once.

A heading is the path that `pulumi config set --path` takes: the key `url` below `ha-wordpress:site.archive` is set with
`pulumi config set --path ha-wordpress:site.archive.url <url>`. A key with the default *none* is optional.

## Topologies

`ha-wordpress:topology` decides which roles a node may have, which nodes a stack has by default, and how many copies of
the files the volume has by default. Existing machines have no default nodes.

| topology | roles | default nodes | default copies |
|---|---|---|---|
"""


class StackFileSchema(GenerateJsonSchema):
    """Pydantic's JSON schema without titles, and with port ranges as the stack file writes them."""

    def field_title_should_be_set(self, schema: object) -> bool:
        return False

    def encode_default(self, dft: object) -> Any:
        return f"{dft.first}-{dft.last}" if isinstance(dft, PortRange) else super().encode_default(dft)

    def dict_schema(self, schema: core_schema.DictSchema) -> JsonSchemaValue:
        """Refuse keys that do not match the pattern of their type; pydantic's own schema accepts them."""
        mapping = super().dict_schema(schema)
        return {**mapping, "additionalProperties": False} if "patternProperties" in mapping else mapping


def sections() -> dict[str, JsonSchemaValue]:
    """The JSON schema of every section by its model's name, among them the settings of each cloud."""
    _, generated = models_json_schema(
        [(model, "validation") for model in CLOUDS.values()],
        schema_generator=StackFileSchema,
        ref_template="#/definitions/{model}",
    )
    definitions: dict[str, JsonSchemaValue] = generated["$defs"]
    return definitions


def schema() -> str:
    """The JSON schema of a whole stack file, as draft 7, which every YAML language server understands."""
    definitions = sections()
    for model in CLOUDS.values():
        definitions[model.__name__] = _stack_keys(definitions[model.__name__])
    chosen = {cloud: {"$ref": f"#/definitions/{model.__name__}"} for cloud, model in CLOUDS.items()}
    config: JsonSchemaValue = chosen.pop(Settings.model_fields["cloud"].default)
    for cloud, keys in chosen.items():
        is_chosen = {"properties": {f"{PREFIX}cloud": {"const": cloud}}, "required": [f"{PREFIX}cloud"]}
        config = {"if": is_chosen, "then": keys, "else": config}
    document = {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "Settings of a stack of ha-wordpress",
        "type": "object",
        "properties": {
            "config": config,
            # Pulumi's own keys (Pulumi documentation, "Pulumi stack settings file reference")
            **{key: {"type": "string"} for key in ("encryptionsalt", "secretsprovider", "encryptedkey")},
            "environment": {},
        },
        "required": ["config"],
        "additionalProperties": False,
        "definitions": definitions,
    }
    return json.dumps(document, indent=2) + "\n"


def page() -> str:
    """The settings as a Markdown page: first the keys that all clouds share, then those of each cloud."""
    definitions = sections()
    keys = {cloud: definitions[model.__name__]["properties"] for cloud, model in CLOUDS.items()}
    first, *others = keys.values()
    shared = {key for key, value in first.items() if all(value == other.get(key) for other in others)}
    lines = [INTRO.rstrip()]
    for topology, allowed in roles.ROLES.items():
        copies = ", ".join(f"{key} {number}" for key, number in roles.COPIES[topology].items())
        names = ", ".join(f"`{role}`" if role else "none" for role in allowed)
        lines.append(f"| `{topology}` | {names} | {', '.join(roles.NODES[topology])} | {copies} |")
    lines += ["", "## Every cloud", ""]
    lines += _tables(definitions, PREFIX, definitions[CLOUDS["aws"].__name__], shared)
    for cloud, model in CLOUDS.items():
        lines += [f"## {TITLES[cloud]} (`{PREFIX}cloud: {cloud}`)", ""]
        lines += _tables(definitions, PREFIX, definitions[model.__name__], keys[cloud].keys() - shared)
    return "\n".join(lines).rstrip() + "\n"


def _stack_keys(settings: JsonSchemaValue) -> JsonSchemaValue:
    """The keys of one cloud as a stack file has them: with the project's prefix, and with encrypted secrets."""
    keys = {key if ":" in key else PREFIX + key: value for key, value in settings["properties"].items()}
    secrets = {key for key, value in keys.items() if value.get("format") == "password"}
    required = [key if ":" in key else PREFIX + key for key in settings["required"]]
    encrypted = {
        "type": "object",
        "properties": {"secure": {"type": "string"}},
        "required": ["secure"],
        "additionalProperties": False,
    }
    return {
        "description": settings["description"],
        "type": "object",
        "properties": {
            key: {"description": value["description"], **encrypted} if key in secrets else value
            for key, value in keys.items()
        },
        # a secret is not committed before an operator has set it
        "required": [key for key in required if key not in secrets],
        # keys of providers and of the engine
        "patternProperties": {f"^(?!{PREFIX})[^:]+:": {}},
        "additionalProperties": False,
    }


def _tables(
    definitions: Mapping[str, JsonSchemaValue], path: str, section: JsonSchemaValue, keys: Iterable[str]
) -> Iterator[str]:
    """The lines of a table of these keys of a section, and of the tables of the sections below it."""
    rows, below = [], []
    for key, value in section["properties"].items():
        if key not in keys:
            continue
        name = key if ":" in key else f"{path}{key}"
        if definition := definitions.get(_section_name(value)):
            below.append((name, value, definition))
        else:
            default = "required" if key in section.get("required", []) else _default(value)
            cell = name if path == PREFIX else key
            rows.append(f"| `{cell}` | {_type(value)} | {value.get('unit', '')} | {default} | {_text(value)} |")
    if rows:
        yield from ("| key | type | unit | default | meaning |", "|---|---|---|---|---|", *rows, "")
    for name, value, definition in below:
        named = "patternProperties" in value
        heading = f"{name}.<name>" if named else name
        yield from (f"### `{heading}`", "", _text(value if named else definition), "")
        yield from _tables(definitions, f"{heading}.", definition, definition["properties"])


def _section_name(value: JsonSchemaValue) -> str:
    """Name of the section that a key has, or of each section in a mapping; empty for a key without sections."""
    options = [value, *value.get("anyOf", []), *value.get("patternProperties", {}).values()]
    return next((str(option["$ref"]).rpartition("/")[2] for option in options if "$ref" in option), "")


def _type(value: JsonSchemaValue) -> str:
    if "anyOf" in value:
        return " or ".join(_type(option) for option in value["anyOf"] if option != {"type": "null"})
    if "enum" in value:
        return " or ".join(f"`{option}`" for option in value["enum"])
    if "patternErrorMessage" in value:
        return str(value["patternErrorMessage"]).removeprefix("must be ").replace("; write one such as ", ", such as ")
    match value["type"]:
        case "integer":
            return f"whole number, {value['minimum']} to {value['maximum']}"
        case "array":
            return f"list; each item {_type(value['items'])}"
        case "object":
            return f"map of name to {_type(value['additionalProperties'])}"
        case "boolean":
            return "`true` or `false`"
        case _:
            return {"password": "secret", "path": "path"}.get(value.get("format", ""), "text")


def _default(value: JsonSchemaValue) -> str:
    default = value["default"]
    if isinstance(default, bool):
        return f"`{str(default).lower()}`"
    return f"`{default}`" if default or default == 0 else "*none*"


def _text(value: JsonSchemaValue) -> str:
    return " ".join(value["description"].split())


if __name__ == "__main__":
    PAGE.write_text(page())
    SCHEMA.write_text(schema())
