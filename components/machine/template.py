"""Configuration files with placeholders."""

from __future__ import annotations

import re
from pathlib import Path

PLACEHOLDER = re.compile(r"@([A-Z_]+)@")


def render(path: Path, /, **values: object) -> str:
    """A file's text with each placeholder `@NAME@` replaced by the value of that name.

    A value is inserted as it is: a placeholder inside it stays. So a placeholder that the step fills on the machine is
    passed as its own value, `VERSION="@VERSION@"`.

    Raises ValueError when a placeholder has no value, and when a value has no placeholder.
    """
    text = path.read_text()
    placeholders = set(PLACEHOLDER.findall(text))
    missing, unused = placeholders - values.keys(), values.keys() - placeholders
    if missing or unused:
        raise ValueError(
            f"{path}: placeholders without a value: {', '.join(sorted(missing)) or 'none'}; "
            f"values without a placeholder: {', '.join(sorted(unused)) or 'none'}. Pass exactly what the file names."
        )
    return PLACEHOLDER.sub(lambda placeholder: str(values[placeholder[1]]), text)
