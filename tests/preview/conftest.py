"""Trees to compare, and the engine that compares them. Nothing here needs root."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from rehearsal.preview.comparison import Preview, compare
from rehearsal.project import REPOSITORY
from rehearsal.setup import engine

PROGRAM = ("Pulumi.yaml", "__main__.py", "cloud-init", "components", "stacks")

Edit = Callable[[dict[str, Any]], None]
Compare = Callable[[str, Edit], Preview]


@pytest.fixture(scope="session")
def pulumi() -> Path:
    return engine.ensure()


def copy_program(directory: Path) -> Path:
    """A copy of the working tree's program, whose settings a test may change."""
    directory.mkdir()
    for name in PROGRAM:
        source = REPOSITORY / name
        if source.is_dir():
            shutil.copytree(source, directory / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, directory)
    return directory


def edit_settings(tree: Path, stack: str, edit: Edit) -> None:
    """Change the settings of a stack in a tree."""
    file = tree / "stacks" / f"Pulumi.{stack}.yaml"
    content = yaml.safe_load(file.read_text())
    edit(content["config"])
    file.write_text(yaml.safe_dump(content))


def plain_http(config: dict[str, Any]) -> None:
    """Settings of a site of WordPress without HTTPS, as an edit of a stack's own."""
    if "ha-wordpress:site" in config:
        config["ha-wordpress:accept_plain_http"] = True
        config["ha-wordpress:site"].pop("domain", None)
    config.pop("ha-wordpress:balancer", None)


@pytest.fixture
def compared(pulumi: Path, tmp_path: Path) -> Compare:
    """Preview an edit of a stack's settings, against the stack as its file has it."""

    def compare_edit(stack: str, edit: Edit) -> Preview:
        tree = copy_program(tmp_path / "new")
        edit_settings(tree, stack, edit)
        scratch = tmp_path / "scratch"
        scratch.mkdir()
        return compare(stack, "main", copy_program(tmp_path / "old"), tree, pulumi, scratch)

    return compare_edit
