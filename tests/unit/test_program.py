"""The whole program: how it gets its settings, and where it runs commands."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.unit.graph import ROOT, Graph, committed, run, text

PROGRAM = [ROOT / "__main__.py", *sorted((ROOT / "components").rglob("*.py"))]


def relative(path: Path) -> str:
    return str(path.relative_to(ROOT))


def test_the_program_reads_settings_from_the_environment_of_the_cli(
    aws_wordpress: Graph, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = {name: text(value) for name, value in committed("aws-wordpress").items()}
    monkeypatch.setenv("PULUMI_CONFIG", json.dumps(config))
    assert run({}, "aws-wordpress").resources == aws_wordpress.resources


@pytest.mark.parametrize("path", PROGRAM, ids=relative)
def test_only_remote_py_runs_commands_on_machines(path: Path) -> None:
    assert ("pulumi_command" in path.read_text()) == (path.name == "remote.py")
