"""The steps that a rehearsal prints, and the commands that they follow."""

import io
import sys
import time

import pytest
from rich.console import Console

from rehearsal.progress import Steps, duration
from rehearsal.system.shell import ToolError


def steps(*, terminal: bool = False) -> tuple[Steps, io.StringIO]:
    output = io.StringIO()
    return Steps(Console(file=output, force_terminal=terminal, width=80)), output


def test_without_a_terminal_a_step_is_a_line_at_each_end() -> None:
    shown, output = steps()
    with shown.step("Building [it]"), shown.step("Fetching"):
        pass
    assert output.getvalue().splitlines() == [
        "Building [it] ...",
        "  Fetching ...",
        "  Fetching: 0.0 s",
        "Building [it]: 0.0 s",
    ]


def test_a_failed_step_is_marked_and_its_error_raised() -> None:
    shown, output = steps()
    with pytest.raises(ZeroDivisionError), shown.step("Dividing"):
        _ = 1 / 0
    assert output.getvalue().splitlines()[-1] == "Dividing failed after 0.0 s"


def test_on_a_terminal_a_step_shows_its_detail_and_leaves_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    shown, output = steps(terminal=True)
    with shown.step("Building") as step:
        step.detail("brick [gfs1]")
        end = time.monotonic() + 5
        while "brick [gfs1]" not in output.getvalue():
            assert time.monotonic() < end
            time.sleep(0.01)
    assert "✓" in output.getvalue().splitlines()[-1]


def test_a_failed_command_is_reported_with_its_last_lines() -> None:
    shown, _ = steps()
    script = "import sys; [print(n, file=sys.stderr) for n in range(50)]; sys.exit(3)"
    with shown.step("Running") as step, pytest.raises(ToolError, match=r"exit status 3(.|\n)*48\n49\n$"):
        step.follow(sys.executable, "-c", script, timeout=30)


def test_a_followed_command_gets_further_variables() -> None:
    shown, _ = steps()
    script = "import os; assert os.environ['ADDED'] == 'yes' and os.environ['PATH']"
    with shown.step("Running") as step:
        step.follow(sys.executable, "-c", script, env={"ADDED": "yes"}, timeout=30)


def test_a_followed_command_is_killed_at_its_limit() -> None:
    shown, _ = steps()
    started = time.monotonic()
    with shown.step("Running") as step, pytest.raises(ToolError, match=r"killed after 0\.2 s"):
        step.follow("sleep", "60", timeout=0.2)
    assert time.monotonic() - started < 10


def test_a_terminal_that_can_only_print_gets_plain_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "dumb")
    shown, output = steps(terminal=True)
    with shown.step("Building"):
        pass
    assert [line.split("\x1b")[0] for line in output.getvalue().splitlines()] == ["Building ...", "Building: 0.0 s"]


@pytest.mark.parametrize(
    ("seconds", "output"), [(0.04, "0.0 s"), (9.94, "9.9 s"), (9.96, "10 s"), (59.7, "1 min 00 s"), (185, "3 min 05 s")]
)
def test_a_duration_is_formatted(seconds: float, output: str) -> None:
    assert duration(seconds) == output
