"""tools/run_tests.py: machine tests get a second try, and the last line names it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

TOOL = Path(__file__).parents[2] / "tools" / "run_tests.py"
STEP, UNIT = "tests/scripts/test_step.py", "tests/unit/test_step.py"

PASSES = "def test(): pass\n"
FAILS = "def test(): assert False, 'the reason'\n"
FAILS_ONCE = """
from pathlib import Path
def test():
    seen = Path("seen")
    if not seen.exists():
        seen.touch()
        raise AssertionError("the reason")
"""
WAITS = """
import time
from pathlib import Path
def test():
    Path("begun").touch()
    try:
        time.sleep(60)
    finally:
        Path("cleaned").touch()
"""


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A tree with a directory of machine tests and one of unit tests."""
    for file in (STEP, UNIT):
        (tmp_path / file).parent.mkdir(parents=True)
        (tmp_path / file).write_text(PASSES)
    return tmp_path


def run_tests(tree: Path, *words: str) -> tuple[int, list[str]]:
    """The exit status and the lines of one call of the tool."""
    done = subprocess.run([sys.executable, TOOL, *words], check=False, cwd=tree, capture_output=True, text=True)
    return done.returncode, done.stdout.splitlines()


def test_a_run_at_the_first_try_says_so(tree: Path) -> None:
    status, shown = run_tests(tree, "run", STEP)
    assert (status, shown[-1]) == (0, "passed at the first try")
    assert " 1 passed in " in shown[-2]
    assert run_tests(tree, "end", STEP) == (0, ["passed at the first try"])
    assert not (tree / "reports/first-failures").exists()


def test_a_second_try_shows_in_the_last_line_and_keeps_the_first_failure(tree: Path) -> None:
    (tree / STEP).write_text(FAILS_ONCE)
    log = "reports/first-failures/tests/scripts/test_step.log"
    last = f"passed; second try needed: {STEP} ({log})"
    status, shown = run_tests(tree, "run", STEP)
    assert (status, shown[-1]) == (0, last)
    assert len([line for line in shown if " 1 failed in " in line or " 1 passed in " in line]) == 2
    assert "AssertionError: the reason" in (tree / log).read_text()
    assert run_tests(tree, "end", STEP) == (0, [last])
    run_tests(tree, "begin")
    assert not (tree / log).exists()


def test_two_failures_are_a_failure(tree: Path) -> None:
    (tree / STEP).write_text(FAILS)
    status, shown = run_tests(tree, "run", STEP)
    assert (status, shown[-1]) == (1, f"failed: {STEP}")
    run_tests(tree, "run", UNIT)
    assert run_tests(tree, "end", STEP, UNIT) == (1, [f"failed: {STEP}"])


def test_unit_tests_have_no_second_try(tree: Path) -> None:
    (tree / UNIT).write_text(FAILS_ONCE)
    assert run_tests(tree, "run", UNIT)[0] == 1


def test_a_file_that_did_not_run_is_a_failure(tree: Path) -> None:
    run_tests(tree, "run", UNIT)
    run_tests(tree, "begin")
    assert run_tests(tree, "end", UNIT) == (1, [f"not run: {UNIT}"])


def test_an_interrupt_waits_for_pytest_and_tries_nothing_again(tree: Path) -> None:
    (tree / STEP).write_text(WAITS)
    with subprocess.Popen(
        [sys.executable, TOOL, "run", STEP], cwd=tree, stdout=subprocess.PIPE, text=True, start_new_session=True
    ) as tool:
        end = time.monotonic() + 30
        while not (tree / "begun").exists():
            assert time.monotonic() < end
            time.sleep(0.05)
        # as a terminal does: the whole process group
        os.killpg(tool.pid, signal.SIGINT)
        output, _ = tool.communicate(timeout=30)
    assert tool.returncode == 128 + signal.SIGINT
    assert (tree / "cleaned").exists()
    assert output.count("test session starts") == 1
    assert output.splitlines()[-1] == f"failed: {STEP}"
