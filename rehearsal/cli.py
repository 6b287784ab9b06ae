"""The command line: `rehearse up|drill|shell|status|down`."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path
from typing import Annotated, NoReturn

import typer
from rich.console import Console

from rehearsal import progress
from rehearsal.deploy.stacks import UnknownStackError, stacks
from rehearsal.report.files import write
from rehearsal.report.terminal import print_report
from rehearsal.session.launcher import RehearsalFailed, rehearse, reports, sandbox_of
from rehearsal.session.leaks import leaks
from rehearsal.session.runner import Mode
from rehearsal.session.sandbox import Sandbox, SandboxError
from rehearsal.setup.host import HostError
from rehearsal.system.shell import ToolError

app = typer.Typer(
    no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False,
    help="Run a stack unchanged through the real Pulumi engine, on machines booted here, and break it.",
)  # fmt: skip

INTERRUPTED = 130

Stack = Annotated[str, typer.Argument(help="A stack of stacks/, for example aws-wordpress.", show_default=False)]
Keep = Annotated[bool, typer.Option("--keep", help="Leave the stack up; `rehearse down` ends it.")]
Json = Annotated[Path | None, typer.Option("--json", help="Write the report there as well.", show_default=False)]


@app.command()
def up(stack: Stack, keep: Keep = False, json: Json = None) -> None:
    """Bring a stack up twice (the second time must change nothing), report, and take it down again."""
    run(stack, "up", keep=keep, copy=json)


@app.command()
def drill(stack: Stack, keep: Keep = False, json: Json = None) -> None:
    """Bring a stack up, take its machines away one way and another, report, and take it down again."""
    run(stack, "drill" if keep else "drill-and-destroy", keep=keep, copy=json)


@app.command()
def shell(stack: Stack, node: Annotated[str, typer.Argument(help="For example gfs1.", show_default=False)]) -> None:
    """Go into a node of a stack that is up, as root."""
    sandbox = existing(stack)
    inside = [*sandbox.exec_prefix(), sys.executable, "-m", "rehearsal.session.enter", str(sandbox.directory), node]
    raise typer.Exit(subprocess.run(inside, check=False).returncode)


@app.command()
def status(stack: Annotated[str | None, typer.Argument(help="All stacks, when left out.")] = None) -> None:
    """Say which stacks are up, and their machines."""
    running = [sandbox for sandbox in map(sandbox_of, [stack] if stack else stacks()) if sandbox.running]
    for sandbox in running:
        print(f"{sandbox.stack}: {'up' if sandbox.ready else 'starting'}", flush=True)
        if sandbox.ready:
            subprocess.run(
                [*sandbox.exec_prefix(), sys.executable, "-m", "rehearsal.session.enter", str(sandbox.directory)],
                check=True,
            )
    if not running:
        print(f"{stack}: not up" if stack else "no stack is up")


@app.command()
def down(stack: Stack) -> None:
    """End a stack's rehearsal, whatever it is doing, and remove all of it."""
    sandbox = sandbox_of(stack)
    if not sandbox.running:
        fail(f"{stack} is not up")
    with progress.step(f"Taking {stack} down"):
        sandbox.stop()
    if left := leaks(sandbox):
        fail(f"{stack} is down, but these are left: {', '.join(left)}")


def run(stack: str, mode: Mode, *, keep: bool, copy: Path | None) -> None:
    """Rehearse, print and write the report, and end with the exit status that the promises give."""
    signal.signal(signal.SIGTERM, interrupt)
    try:
        report = rehearse(stack, mode, keep=keep)
    except (HostError, SandboxError, RehearsalFailed, ToolError, UnknownStackError) as error:
        fail(str(error))
    except KeyboardInterrupt:
        state = "is still up" if sandbox_of(stack).kept else "is taken down"
        progress.console.print(f"interrupted: {stack} {state}", highlight=False)
        raise typer.Exit(INTERRUPTED) from None
    write(report, reports(stack))
    if copy:
        copy.write_bytes((reports(stack) / "report.json").read_bytes())
    print_report(report, Console())
    print(reports(stack) / "report.json")
    print(reports(stack) / "report.html")
    raise typer.Exit(0 if report.ok else 1)


def interrupt(number: int, frame: object) -> NoReturn:
    raise KeyboardInterrupt


def existing(stack: str) -> Sandbox:
    sandbox = sandbox_of(stack)
    if not sandbox.ready:
        fail(f"{stack} is not up; `rehearse up {stack} --keep` starts it")
    return sandbox


def fail(message: str) -> NoReturn:
    progress.console.print(message, style="red", highlight=False, markup=False, soft_wrap=True)
    raise typer.Exit(1)
