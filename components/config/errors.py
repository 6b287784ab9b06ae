"""What is wrong with the settings, in an operator's words: where, what, and what to do."""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, get_args

import pulumi
from pydantic import BaseModel
from pydantic_core import ErrorDetails


class SettingsError(pulumi.RunError):
    """Everything that is wrong with the settings, one mistake a line; Pulumi shows it without a traceback."""

    def __init__(self, lines: list[str]) -> None:
        super().__init__("\n  ".join(["The settings have mistakes:", *lines]))


def of_pydantic(mistake: ErrorDetails, settings: type[BaseModel]) -> Iterator[str]:
    """The lines for one of pydantic's errors."""
    kind, where, given = mistake["type"], mistake["loc"], mistake["input"]
    place = ".".join(str(step) for step in where if step != "[key]")
    if kind == "value_error":
        for line in str(mistake["ctx"]["error"]).splitlines():
            yield f"{place}: {line}"
    elif kind == "missing":
        yield f"{place}: is missing; add it"
    elif kind == "too_short":
        yield f"{place}: is empty; name at least one"
    elif kind == "extra_forbidden":
        known = list(_fields(_section_at(where[:-1], settings)))
        near = difflib.get_close_matches(str(where[-1]), known, n=1)
        hint = f"did you mean {near[0]}?" if near else f"known here: {', '.join(known)}"
        yield f"{place}: is not a known key; {hint}"
    else:
        quotes = "; put it in quotes" if kind == "string_type" and isinstance(given, int | float) else ""
        yield f"{place}: {mistake['msg'].replace('Input should be', 'must be')}; it is {json.dumps(given)}{quotes}"


def _section_at(where: tuple[int | str, ...], settings: type[BaseModel]) -> type[BaseModel]:
    section = settings
    for step in where:
        annotation = _fields(section).get(str(step))
        parts = (annotation, *get_args(annotation))
        # a node's own name is no field: the step before has already led to its section
        section = next((part for part in parts if isinstance(part, type) and issubclass(part, BaseModel)), section)
    return section


def _fields(section: type[BaseModel]) -> dict[str, Any]:
    """A section's keys, as they stand in the file, and their types."""
    return {field.alias or name: field.annotation for name, field in section.model_fields.items()}


@dataclass(frozen=True)
class RawSettings:
    """The settings as they stand in the file, right or wrong, for what one section says against another.

    `raw`: what stands there. `default`: what holds where nothing does. Whatever is of the wrong kind is told
    elsewhere, and is nothing here, so that one mistake does not hide another.
    """

    raw: Mapping[str, Any]
    default: Mapping[str, Any]

    def value(self, kind: type, *where: str) -> Any:
        """What is given at a place, or what holds by default; nothing where it is of the wrong kind."""
        found, otherwise = self.raw, self.default
        for step in where:
            otherwise = otherwise.get(step, {}) if isinstance(otherwise, Mapping) else {}
            found = found.get(step, otherwise) if isinstance(found, Mapping) else otherwise
        return found if isinstance(found, kind) else None

    def has(self, section: str, key: str) -> bool:
        """Whether something stands at a place in the file, or the section itself is wrong and told elsewhere."""
        given = self.raw.get(section, {})
        return not isinstance(given, Mapping) or key in given

    def sections(self, where: str) -> dict[str, dict[str, Any]]:
        """The sections below a place, by name."""
        return {name: each for name, each in (self.value(dict, where) or {}).items() if isinstance(each, dict)}
