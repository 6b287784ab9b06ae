"""The checksums of a brick's files, which a drill compares after a fault."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from rehearsal.drills.site import CHECK, CHECKSUMS

LEFT_OUT = ("./.glusterfs", "./.ha-wordpress", "./uploads/rehearsal")


def shell(script: str, *arguments: str, stdin: str = "") -> str:
    done = subprocess.run(
        ["sh", "-c", script, "sh", *arguments], input=stdin, capture_output=True, text=True, timeout=20, check=True
    )
    return done.stdout


@pytest.fixture
def brick(tmp_path: Path) -> Path:
    for name in (".glusterfs/x", ".ha-wordpress/x", "uploads/rehearsal/x", "index.php", "uploads/-a b"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(name)
    return tmp_path


def test_the_program_s_own_files_and_those_of_the_clients_are_left_out(brick: Path) -> None:
    lines = shell(CHECKSUMS, str(brick), *LEFT_OUT).splitlines()
    assert [line.split("  ", 1)[1] for line in lines] == ["./index.php", "./uploads/-a b"]


def test_files_that_did_not_change_are_none_that_differ(brick: Path) -> None:
    assert shell(CHECK, str(brick), stdin=shell(CHECKSUMS, str(brick), *LEFT_OUT)) == ""


def test_an_empty_and_a_missing_file_differ(brick: Path) -> None:
    before = shell(CHECKSUMS, str(brick), *LEFT_OUT)
    (brick / "index.php").write_text("")
    (brick / "uploads/-a b").unlink()
    assert shell(CHECK, str(brick), stdin=before).splitlines() == [
        "./index.php: FAILED",
        "./uploads/-a b: FAILED open or read",
    ]
