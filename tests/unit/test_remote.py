"""The command text of a step, run by a shell."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from components.machine.remote import BOOTING, DIAL_TIMEOUT, END, RUNNING, assignments, command_text
from tests.unit.graph import ROOT

AWKWARD = 'it\'s $HOME, `id`; "quoted" \\ and\nmore'


def run(text: str, stdin: str = "") -> str:
    """The output of a command text in this machine's shell, without becoming root."""
    assert text.startswith("sudo -n env ")
    done = subprocess.run(
        ["bash", "-c", text.removeprefix("sudo -n ")],
        input=stdin,
        capture_output=True,
        text=True,
        check=True,
        timeout=10,
    )
    return done.stdout


@pytest.fixture
def script(tmp_path: Path) -> Path:
    return tmp_path / "step.sh"


def test_parameters_reach_the_script_whatever_is_in_them(script: Path) -> None:
    script.write_text('printf %s "$VALUE"\n')
    assert run(command_text(script, {"VALUE": AWKWARD}, 5)) == AWKWARD


def test_a_scripts_own_quotes_dollars_and_heredocs_stay_as_they_are(script: Path) -> None:
    script.write_text("cat <<'EOF'\n$HOME \"`id`\" '\\'\nEOF\n")
    assert run(command_text(script, {}, 5)) == "$HOME \"`id`\" '\\'\n"


def test_secrets_reach_the_script_by_standard_input(script: Path) -> None:
    script.write_text('eval "$(cat)"\nprintf %s "$PASSWORD"\n')
    text = command_text(script, {}, 5)
    assert run(text, assignments({"PASSWORD": AWKWARD, "OTHER": "x"})) == AWKWARD
    assert AWKWARD not in text


def test_a_script_that_takes_too_long_is_killed(script: Path) -> None:
    script.write_text("exec sleep 30\n")
    with pytest.raises(subprocess.CalledProcessError) as killed:
        run(command_text(script, {}, 1))
    assert killed.value.returncode == 124


def test_a_script_that_fails_fails_the_command(script: Path) -> None:
    script.write_text("exit 7\n")
    with pytest.raises(subprocess.CalledProcessError) as failed:
        run(command_text(script, {}, 5))
    assert failed.value.returncode == 7


def test_a_script_that_would_end_its_own_text_is_refused(script: Path) -> None:
    script.write_text(f"true\n{END}\nrm -rf /\n")
    with pytest.raises(ValueError, match=END):
        command_text(script, {}, 5)


@pytest.mark.parametrize(("limit", "seconds"), [(BOOTING, 600), (RUNNING, 90)])
def test_dialling_a_machine_that_never_answers_ends(limit: int, seconds: int) -> None:
    pauses = [min(0.1 * 1.5**number, 5) for number in range(limit)]
    assert (limit + 1) * DIAL_TIMEOUT + sum(pauses) < seconds


@pytest.mark.parametrize("path", sorted((ROOT / "components").rglob("*.sh")), ids=lambda path: path.stem)
def test_every_step_says_its_shell_and_stops_at_the_first_error(path: Path) -> None:
    first, *_ = lines = path.read_text().splitlines()
    assert first == "#!/bin/bash"
    assert "set -euo pipefail" in lines
