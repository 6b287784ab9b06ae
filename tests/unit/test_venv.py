"""tools/venv.sh: makes .venv, and never through a link."""

from __future__ import annotations

import shutil
import subprocess
import sys
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


def test_a_python_that_is_too_old_is_refused(tmp_path: Path) -> None:
    (tmp_path / "tools").mkdir()
    shutil.copy(ROOT / "tools/venv.sh", tmp_path / "tools")
    old = tmp_path / "python3"
    run = "import sys; sys.version_info = (3, 10, 19); exec(sys.argv[1])"
    old.write_text(f'#!/bin/sh\nexec {sys.executable} -c "{run}" "$2"\n')
    old.chmod(0o755)
    done = subprocess.run(
        [tmp_path / "tools/venv.sh"], check=False, capture_output=True, text=True, timeout=60, env={"PYTHON": str(old)}
    )
    assert done.returncode == 1
    assert done.stderr == f"{old} is older than 3.11: name a newer one: make PYTHON=python3.12 ...\n"
    assert not (tmp_path / ".venv").exists()
