"""Run the lint and files of tests, and keep the first failure of a file that passes at its second try.

Machine tests share the processors with everything else on the host, so a failure may be noise: such a file is run once
more, as a whole, on new machines. The output of its first failure is printed, and kept in reports/first-failures.
"""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
from enum import StrEnum
from pathlib import Path
from types import FrameType

import typer

FIRST_FAILURES = Path("reports/first-failures")
RESULTS = Path("reports/test-results")
"""One line for each file of tests: its result and its path. Runs at the same time append to it."""

LINT = "lint"
"""The target of the Makefile that stands beside the files of tests."""
RETRIED = ("tests/scripts/", "tests/rehearsal/")
INTERRUPTED = 128 + signal.SIGINT

app = typer.Typer(add_completion=False, help=__doc__)


class Result(StrEnum):
    """How a file of tests ended."""

    PASSED = "passed"
    PASSED_AGAIN = "passed-again"
    FAILED = "failed"
    NOT_RUN = "not-run"


FAILURES = {"failed": Result.FAILED, "not run": Result.NOT_RUN}


@app.command()
def begin() -> None:
    """Delete the results and the first failures of the last run."""
    shutil.rmtree(FIRST_FAILURES, ignore_errors=True)
    RESULTS.unlink(missing_ok=True)


@app.command()
def run(file: str) -> None:
    """Run `lint` or one file (or directory) of tests; a file of machine tests that fails is run once more."""
    status, output = attempt(file)
    result = Result.FAILED if status else Result.PASSED
    if status not in (0, INTERRUPTED) and file.startswith(RETRIED):
        kept(file).parent.mkdir(parents=True, exist_ok=True)
        kept(file).write_bytes(output)
        typer.echo(f"\n{file} failed with exit status {status}; its output is in {kept(file)}. Second try:\n")
        status, _ = attempt(file)
        result = Result.FAILED if status else Result.PASSED_AGAIN
    RESULTS.parent.mkdir(exist_ok=True)
    with RESULTS.open("a") as results:
        results.write(f"{result} {file}\n")
    typer.echo(closing_line({file: result}))
    raise typer.Exit(status)


@app.command()
def end(files: list[str]) -> None:
    """Print one line about all these files; the exit status is 0 only if each has passed since `begin`."""
    recorded = RESULTS.read_text().splitlines() if RESULTS.exists() else []
    latest = {file: Result(result) for result, file in (line.split(" ", 1) for line in recorded)}
    results = {file: latest.get(file, Result.NOT_RUN) for file in files}
    typer.echo(closing_line(results))
    raise typer.Exit(int(not {Result.PASSED, Result.PASSED_AGAIN}.issuperset(results.values())))


def attempt(file: str) -> tuple[int, bytes]:
    """Run pytest or the lint once and print its output as it comes; returns the exit status and the output.

    Ctrl-C reaches pytest as well, which then takes its machines down: the function returns after that.
    """
    interrupted = False

    def interrupt(_signal: int, _frame: FrameType | None) -> None:
        nonlocal interrupted
        interrupted = True

    before = signal.signal(signal.SIGINT, interrupt)
    pytest = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", file]
    words = ["make", "--no-print-directory", LINT] if file == LINT else pytest
    output = b""
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as running:
        signal.signal(signal.SIGTERM, lambda *_: running.terminate())
        assert running.stdout
        for line in running.stdout:
            output += line
            sys.stdout.buffer.write(line)
            sys.stdout.flush()
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.signal(signal.SIGINT, before)
    return INTERRUPTED if interrupted else running.returncode, output


def kept(file: str) -> Path:
    """The path of the output of a file's first failure."""
    return FIRST_FAILURES / Path(file).with_suffix(".log")


def closing_line(results: dict[str, Result]) -> str:
    """One line that names the files that failed, did not run, or needed a second try."""

    def files(wanted: Result) -> list[str]:
        return [file for file, result in results.items() if result is wanted]

    parts = [f"{word}: {', '.join(files(result))}" for word, result in FAILURES.items() if files(result)]
    parts = parts or ["passed"]
    if again := files(Result.PASSED_AGAIN):
        parts.append(f"second try needed: {', '.join(f'{file} ({kept(file)})' for file in again)}")
    return "passed at the first try" if parts == ["passed"] else "; ".join(parts)


if __name__ == "__main__":
    app()
