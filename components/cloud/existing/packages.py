"""The packages and files of cloud-init/, for machines that exist already."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from components.machine.user_data import PARTS

SCRIPT = Path(__file__).with_suffix(".sh")

BASE = "base"
"""Part for new machines only: an existing machine keeps its clock, language and package settings."""

NEEDED = ("nftables",)
"""Packages of the base part that every machine's steps need (components/firewall)."""

FILE = "==> "
"""Start of the line before a file's text; the file's path follows, as in the output of head(1)."""


def params(parts: Sequence[str]) -> dict[str, str]:
    """Parameters of packages.sh: the Debian packages and the files of the named parts of cloud-init/.

    Of the part `base`, an existing machine gets only the packages in `NEEDED`.

    Raises ValueError for a part that has anything other than packages and plain files.
    """
    packages: list[str] = []
    files: list[str] = []
    for part in parts:
        if part == BASE:
            packages += NEEDED
            continue
        content: dict[str, Any] = yaml.safe_load((PARTS / f"{part}.yaml").read_text())
        packages += content.pop("packages", [])
        for file in content.pop("write_files", []):
            files.append(f"{FILE}{file.pop('path')}\n{file.pop('content').removesuffix(chr(10))}\n")
            _refuse_rest(part, file)
        _refuse_rest(part, content)
    return {"PACKAGES": " ".join(dict.fromkeys(packages)), "FILES": "".join(files)}


def _refuse_rest(part: str, content: dict[str, Any]) -> None:
    """Raise ValueError if a part has keys that were not handled."""
    if content:
        raise ValueError(
            f"cloud-init/{part}.yaml has {', '.join(content)}, but existing machines support only packages, and files "
            "with a path and content; move the rest into a step."
        )
