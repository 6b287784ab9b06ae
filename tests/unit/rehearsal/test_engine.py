"""The engine: a new enough pulumi on PATH, or one built from the pinned module."""

import os
from pathlib import Path

import pytest

from rehearsal.setup import cache, engine, go
from rehearsal.system.shell import ToolError


@pytest.fixture(autouse=True)
def tools(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Directory at the front of PATH, for fake pulumi and go programs."""
    monkeypatch.setattr(cache, "DIRECTORY", tmp_path / "cache")
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    return folder


def tool(path: Path, script: str) -> Path:
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return path


GO = """
case $1 in
  version) echo go version go1.99.0 linux/amd64 ;;
  build)
    while [ "$1" != -o ]; do shift; done
    printf '#!/bin/sh\\necho v3.259.0\\n' >"$2"
    chmod +x "$2"
    ;;
esac
"""


@pytest.mark.parametrize("output", ["v3.259.0", "v3.272.1-dev.0", "3.300.0"])
def test_a_pulumi_on_path_that_is_new_enough_is_used(tools: Path, output: str) -> None:
    pulumi = tool(tools / "pulumi", f"echo {output}")
    assert engine.ensure() == pulumi


def test_an_older_pulumi_on_path_is_ignored(tools: Path, tmp_path: Path) -> None:
    tool(tools / "pulumi", "echo v3.258.9")
    tool(tools / "go", GO)
    built = engine.ensure()
    assert built.is_relative_to(tmp_path / "cache")
    assert "v3.259.0" in built.parent.name


def test_a_failed_build_reports_the_reason_and_leaves_no_engine(tools: Path, tmp_path: Path) -> None:
    tool(tools / "pulumi", "echo v3.1.0")
    tool(tools / "go", GO.replace("build)", "build) echo no space left on device >&2; exit 1 ;;\n  never)"))
    with pytest.raises(ToolError, match="no space left"):
        engine.ensure()
    assert [*(tmp_path / "cache").glob("engine-*/pulumi")] == []


def test_the_pinned_engine_is_new_enough() -> None:
    line = next(line for line in (go.TOOLS / "pulumi" / "go.mod").read_text().splitlines() if "/pkg/v3 v" in line)
    assert go.version(line.split()[1]) >= engine.OLDEST
