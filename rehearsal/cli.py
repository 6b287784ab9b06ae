"""The command line: `rehearse up|drill|preview|shell|status|down`."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, NoReturn

import typer
from rich.console import Console

from rehearsal import progress
from rehearsal.deploy.stacks import UnknownStackError, stacks
from rehearsal.preview import comparison, text, trees
from rehearsal.report.files import write
from rehearsal.report.terminal import print_report
from rehearsal.session.launcher import RehearsalFailed, rehearse, reports, sandbox_of
from rehearsal.session.leaks import leaks
from rehearsal.session.runner import Mode
from rehearsal.session.sandbox import Sandbox, SandboxError
from rehearsal.setup import engine
from rehearsal.setup.host import HostError
from rehearsal.system.shell import ToolError

app = typer.Typer(
    no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False,
    help="Deploy a stack, unchanged, by the real Pulumi engine onto machines booted on this host, and cause faults.",
)  # fmt: skip

INTERRUPTED = 130
"""The exit status after an interrupt."""

Stack = Annotated[str, typer.Argument(help="A stack in stacks/, such as aws-wordpress.", show_default=False)]
Keep = Annotated[bool, typer.Option("--keep", help="Leave the stack up, until `rehearse down`.")]
Json = Annotated[Path | None, typer.Option("--json", help="Copy report.json to this path.", show_default=False)]


Faults = Annotated[
    list[str] | None,
    typer.Option(
        "--faults", help="Cause only this fault, or run this part, of the drill; repeatable.", show_default=False
    ),
]


@app.command()
def up(stack: Stack, keep: Keep = False, json: Json = None) -> None:
    """Run `pulumi up` twice (the second must change nothing), write the report, and take the stack down."""
    run(stack, "up", keep=keep, copy=json)


@app.command()
def drill(stack: Stack, keep: Keep = False, json: Json = None, faults: Faults = None) -> None:
    """Do what `up` does, and cause the faults of the stack's drill while clients are at work."""
    run(stack, "drill" if keep else "drill-and-destroy", keep=keep, copy=json, only=faults or [])


@app.command()
def shell(stack: Stack, node: Annotated[str, typer.Argument(help="A node, such as gfs1.", show_default=False)]) -> None:
    """Open a root shell on a node of a stack that is up."""
    sandbox = ready_sandbox(stack)
    command = [*sandbox.exec_prefix(), sys.executable, "-m", "rehearsal.session.enter", str(sandbox.directory), node]
    raise typer.Exit(subprocess.run(command, check=False).returncode)


@app.command()
def status(
    stack: Annotated[str | None, typer.Argument(help="A stack; omit it to list all.")] = None,
) -> None:
    """List the stacks that are up, and their machines."""
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
    """End a stack's rehearsal, whatever its progress, and remove everything that it made on this host."""
    sandbox = sandbox_of(stack)
    if not sandbox.running:
        fail(f"{stack} is not up, so there is nothing to take down; `rehearse status` lists the stacks that are up")
    with progress.step(f"Taking {stack} down"):
        sandbox.stop()
    if left := leaks(sandbox):
        fail(f"{stack} is down, but it left on this host: {', '.join(left)}; remove these by hand")


@app.command()
def preview(
    stack: Stack,
    base: Annotated[str, typer.Option("--base", help="The commit that deployed the stack.")] = "main",
    markdown: Annotated[
        Path | None, typer.Option("--markdown", help="Also write a pull request comment to this path.")
    ] = None,
) -> None:
    """Show what this tree would change in a stack that a commit deployed; needs no root, machines or credentials."""
    signal.signal(signal.SIGTERM, interrupt)
    try:
        shown = comparison.preview(stack, base, engine.ensure())
    except (ToolError, UnknownStackError, trees.UnknownCommitError) as error:
        fail(str(error))
    except comparison.PreviewFailed as error:
        if markdown:
            markdown.write_text(text.failure(stack, str(error), error.called_out))
        fail("\n".join([*error.called_out, str(error)]))
    except KeyboardInterrupt:
        raise typer.Exit(INTERRUPTED) from None
    if markdown:
        markdown.write_text(text.markdown(shown))
    print(text.terminal(shown), end="", flush=True)


def run(stack: str, mode: Mode, *, keep: bool, copy: Path | None, only: Sequence[str] = ()) -> None:
    """Rehearse a stack, write and print the report, and exit: 0 when every check passed, 1 when one failed."""
    signal.signal(signal.SIGTERM, interrupt)
    try:
        report = rehearse(stack, mode, keep=keep, only=only)
    except (HostError, SandboxError, RehearsalFailed, ToolError, UnknownStackError) as error:
        fail(str(error))
    except KeyboardInterrupt:
        state = "is still up" if sandbox_of(stack).kept else "is down"
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
    """Treat SIGTERM as SIGINT, so that the region is taken down."""
    raise KeyboardInterrupt


def ready_sandbox(stack: str) -> Sandbox:
    """The sandbox of a stack; ends this command with an error unless the stack is up."""
    sandbox = sandbox_of(stack)
    if not sandbox.ready:
        fail(f"{stack} is not up; `rehearse up {stack} --keep` starts it")
    return sandbox


def fail(message: str) -> NoReturn:
    """Print an error and exit with status 1."""
    progress.console.print(message, style="red", highlight=False, markup=False, soft_wrap=True)
    raise typer.Exit(1)
