"""The error lines of settings that are rejected."""

from __future__ import annotations

from typing import Any

import pytest

from components.config.errors import SettingsError
from components.config.loader import parse
from tests.unit.graph import text


def error_lines(minimal: dict[str, Any], **changes: Any) -> list[str]:
    """The error lines that the operator sees for `minimal` with `changes`. Fails if these settings are valid."""
    with pytest.raises(SettingsError) as error:
        parse({name: text(value) for name, value in (minimal | changes).items()})
    title, *lines = str(error.value).splitlines()
    assert title == "The settings have errors:"
    return [line.strip() for line in lines]
