"""The cache makes each entry once, and keeps none of an interrupted make."""

import multiprocessing
from multiprocessing.synchronize import Event
from pathlib import Path

import pytest

from rehearsal.setup import cache
from rehearsal.system.shell import ToolError


@pytest.fixture(autouse=True)
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(cache, "DIRECTORY", tmp_path / "cache")
    return tmp_path / "cache"


def write(directory: Path) -> None:
    (directory / "thing").write_text("made")


def refuse(directory: Path) -> None:
    raise AssertionError("made again")


def test_an_entry_is_made_once(directory: Path) -> None:
    assert cache.make_once("engine", write) == directory / "engine"
    assert (cache.make_once("engine", refuse) / "thing").read_text() == "made"


def test_an_interrupted_make_leaves_no_entry(directory: Path) -> None:
    def interrupted(place: Path) -> None:
        (place / "half").touch()
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        cache.make_once("engine", interrupted)
    assert not (directory / "engine").exists()
    assert [file.name for file in cache.make_once("engine", write).iterdir()] == ["thing"]


def hold(place: Path, held: Event) -> None:
    cache.DIRECTORY = place
    with cache.locked("engine"):
        held.set()
        multiprocessing.Event().wait(60)


def test_two_processes_never_make_the_same_entry_at_once(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    context = multiprocessing.get_context("spawn")
    held = context.Event()
    other = context.Process(target=hold, args=(directory, held))
    other.start()
    assert held.wait(30)
    monkeypatch.setattr(cache, "LOCK_TIMEOUT", 0.3)
    with pytest.raises(ToolError, match="another process has held"):
        cache.make_once("engine", refuse)
    # the kernel frees the lock of a killed process
    other.kill()
    other.join()
    cache.make_once("engine", write)
