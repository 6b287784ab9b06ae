"""tools/venv.sh: makes .venv, and never through a link."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from tests.unit.graph import ROOT


def test_a_link_is_refused_and_the_directory_that_it_leads_to_stays(tmp_path: Path) -> None:
    tree, other = tmp_path / "tree", tmp_path / "other"
    (tree / "tools").mkdir(parents=True)
    shutil.copy(ROOT / "tools/venv.sh", tree / "tools")
    other.mkdir()
    (other / "kept").touch()
    (tree / ".venv").symlink_to(other)
    done = subprocess.run([tree / "tools/venv.sh"], check=False, capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    assert done.stderr == f".venv is a link to {other}: make it there, or remove the link\n"
    assert [path.name for path in other.iterdir()] == ["kept"]
