"""The packages and files that cloud-init would give a machine, for one that exists already."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from components.machine.user_data import PARTS

SCRIPT = Path(__file__).with_suffix(".sh")

BASE = "base"
"""What a new machine is whatever runs on it; an existing one keeps its own clock, language and package settings."""

FILE = "==> "
"""Starts the line before a file's text, followed by its path, as head(1) prints several files."""


def params(parts: Sequence[str]) -> dict[str, str]:
    """What packages.sh is told: the packages, by Debian's names, and the files of the named parts of cloud-init/.

    Raises ValueError for a part that asks for what an existing machine is not given.
    """
    packages: list[str] = []
    files: list[str] = []
    for part in parts:
        if part == BASE:
            continue
        content: dict[str, Any] = yaml.safe_load((PARTS / f"{part}.yaml").read_text())
        packages += content.pop("packages", [])
        for file in content.pop("write_files", []):
            files.append(f"{FILE}{file.pop('path')}\n{file.pop('content').removesuffix(chr(10))}\n")
            _nothing_else(part, file)
        _nothing_else(part, content)
    return {"PACKAGES": " ".join(dict.fromkeys(packages)), "FILES": "".join(files)}


def _nothing_else(part: str, content: dict[str, Any]) -> None:
    if content:
        raise ValueError(
            f"cloud-init/{part}.yaml has {', '.join(content)}: existing machines get no more of a part "
            "than packages, and files of a path and a content."
        )
