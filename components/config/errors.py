"""Error messages for wrong settings: where, what is wrong, what to do."""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar, get_args

import pulumi
from pydantic import BaseModel
from pydantic_core import ErrorDetails

T = TypeVar("T")


class SettingsError(pulumi.RunError):
    """All errors of a stack's settings, one per line.

    `lines`: one line for each error: where, what is wrong, what to do. The base class is pulumi.RunError because Pulumi
    prints that without a traceback.
    """

    def __init__(self, lines: list[str]) -> None:
        super().__init__("\n  ".join(["The settings have errors:", *lines]))


def error_lines(error: ErrorDetails, settings: type[BaseModel]) -> Iterator[str]:
    """Yield the message lines for one of pydantic's errors.

    `settings`: the model that was validated; its keys are suggested in place of an unknown one.
    """
    kind, path, value = error["type"], error["loc"], error["input"]
    place = ".".join(str(key) for key in path if key != "[key]")
    if kind == "value_error":
        for line in str(error["ctx"]["error"]).splitlines():
            yield f"{place}: {line}"
    elif kind == "missing":
        yield f"{place}: is missing; add it"
    elif kind == "too_short":
        yield f"{place}: is empty; name at least one"
    elif kind == "extra_forbidden":
        keys = list(_fields(_section_at(path[:-1], settings)))
        similar = difflib.get_close_matches(str(path[-1]), keys, n=1)
        hint = f"did you mean {similar[0]}?" if similar else f"use one of: {', '.join(keys)}"
        yield f"{place}: is not a known key; {hint}"
    else:
        quotes = "; put it in quotes" if kind == "string_type" and isinstance(value, int | float) else ""
        yield f"{place}: {error['msg'].replace('Input should be', 'must be')}; it is {json.dumps(value)}{quotes}"


def _section_at(path: tuple[int | str, ...], settings: type[BaseModel]) -> type[BaseModel]:
    section = settings
    for key in path:
        annotation = _fields(section).get(str(key))
        parts = (annotation, *get_args(annotation))
        # a node's name is not a field: the key before it has already selected the node's section
        section = next((part for part in parts if isinstance(part, type) and issubclass(part, BaseModel)), section)
    return section


def _fields(section: type[BaseModel]) -> dict[str, Any]:
    """The annotated type of each key, by the key's name in the stack file."""
    return {field.alias or name: field.annotation for name, field in section.model_fields.items()}


@dataclass(frozen=True)
class RawSettings:
    """The settings as the stack file has them, before validation: for checks across sections.

    A value of the wrong type counts as absent: pydantic reports it, and no cross-check repeats the report.
    """

    raw: Mapping[str, object]
    """The stack file's settings."""
    default: Mapping[str, object]
    """Defaults for the settings that the stack file leaves out."""

    def value(self, kind: type[T], *path: str) -> T | None:
        """The value at a path of keys, or its default; None if both are absent or the value is not of type `kind`."""
        found = self._at(path)
        return found if isinstance(found, kind) else None

    def section(self, *path: str) -> Mapping[str, object] | None:
        """The section at a path of keys: empty if it is absent, None if the value there is not a section."""
        found = self._at(path)
        return found if isinstance(found, Mapping) else None

    def sections(self, *path: str) -> dict[str, Mapping[str, object]]:
        """The sections below the section at a path, by name."""
        section = self.section(*path) or {}
        return {name: below for name, below in section.items() if isinstance(below, Mapping)}

    def has(self, section: str, key: str) -> bool:
        """Whether the stack file sets a key; also true if the whole section has the wrong type."""
        values = self.raw.get(section, {})
        return not isinstance(values, Mapping) or key in values

    def _at(self, path: tuple[str, ...]) -> object:
        found: object = self.raw
        default: object = self.default
        for key in path:
            default = default.get(key, {}) if isinstance(default, Mapping) else {}
            found = found.get(key, default) if isinstance(found, Mapping) else default
        return found
