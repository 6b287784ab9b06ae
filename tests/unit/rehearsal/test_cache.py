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


def test_a_thing_is_made_once(directory: Path) -> None:
    assert cache.once("engine", write) == directory / "engine"
    assert (cache.once("engine", refuse) / "thing").read_text() == "made"


def test_a_making_that_was_broken_off_counts_for_nothing(directory: Path) -> None:
    def broken_off(place: Path) -> None:
        (place / "half").touch()
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        cache.once("engine", broken_off)
    assert not (directory / "engine").exists()
    assert [file.name for file in cache.once("engine", write).iterdir()] == ["thing"]


def hold(place: Path, held: Event) -> None:
    cache.DIRECTORY = place
    with cache.locked("engine"):
        held.set()
        multiprocessing.Event().wait(60)


def test_two_processes_never_make_the_same_thing_at_once(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    context = multiprocessing.get_context("spawn")
    held = context.Event()
    other = context.Process(target=hold, args=(directory, held))
    other.start()
    assert held.wait(30)
    monkeypatch.setattr(cache, "LOCK_TIMEOUT", 0.3)
    with pytest.raises(ToolError, match="still held"):
        cache.once("engine", refuse)
    # the lock of a process that was killed is free
    other.kill()
    other.join()
    cache.once("engine", write)
