"""The profile of the program's run."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.graph import build


@pytest.fixture
def pages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    return tmp_path


def test_the_profile_setting_writes_a_profile(pages: Path) -> None:
    graph = build(profile=True)
    (page,) = pages.glob("aws-wordpress-profile-*.html")
    assert "pyinstrument" in page.read_text()
    assert graph.log.infos == [f"Profile of this run: {page}"]


def test_the_environment_variable_writes_a_profile(pages: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYINSTRUMENT", "1")
    build()
    assert list(pages.glob("*.html"))


def test_by_default_no_profile_is_written(pages: Path) -> None:
    assert build().log.infos == []
    assert not list(pages.iterdir())
