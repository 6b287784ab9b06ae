"""Trees to compare, and the engine that compares them. Nothing here needs root."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from rehearsal.deploy.deployment import Deployment, EngineSetup
from rehearsal.deploy.stacks import stack_settings
from rehearsal.preview import paper
from rehearsal.preview.comparison import Preview, compare
from rehearsal.preview.paper import PaperRegion
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


@pytest.fixture
def region(stack: str) -> PaperRegion:
    """The region of a stack; a test's own fixture `stack` names it."""
    settings = stack_settings(stack)
    return PaperRegion(settings.get("aws:region") or settings["ha-wordpress:region"])


@pytest.fixture
def deployment(
    stack: str, region: PaperRegion, pulumi: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Deployment]:
    """The stack on a paper region, before its first `up`."""
    # the program changes to the repository, and its directory becomes the first of the module path
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", ["", *sys.path])
    (tmp_path / "logs").mkdir()
    providers = paper.providers(region)
    yield Deployment(stack, EngineSetup(tmp_path, pulumi, {provider.name: provider.serve() for provider in providers}))
    for provider in providers:
        provider.stop()
