"""The command line: `rehearse up|drill|shell|status|down`."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer
import yaml
from rich.console import Console

from rehearsal import cache, engine, host, image, progress
from rehearsal.deployment import PROJECT, REPOSITORY
from rehearsal.inside import RESULT, Extent
from rehearsal.lab import Lab, LabError, Outside
from rehearsal.report import Promise, Report
from rehearsal.residue import residue
from rehearsal.shell import ToolError

app = typer.Typer(
    no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False,
    help="Run a stack unchanged through the real Pulumi engine, on machines booted here, and break it.",
)  # fmt: skip

Stack = Annotated[str, typer.Argument(help="A stack of stacks/, for example aws-wordpress.", show_default=False)]
Keep = Annotated[bool, typer.Option("--keep", help="Leave the stack up; `rehearse down` ends it.")]
Json = Annotated[
    Path | None,
    typer.Option("--json", help="Write the report there as well.", metavar="PATH", show_default=False),
]


@app.command()
def up(stack: Stack, keep: Keep = False, json: Json = None) -> None:
    """Bring a stack up twice (the second time must change nothing), report, and take it down again."""
    rehearse(stack, "up", keep=keep, copy=json)


@app.command()
def drill(stack: Stack, keep: Keep = False, json: Json = None) -> None:
    """Bring a stack up, take its machines away one way and another, report, and take it down again."""
    rehearse(stack, "drill" if keep else "drill-and-destroy", keep=keep, copy=json)


@app.command()
def shell(stack: Stack, node: Annotated[str, typer.Argument(help="For example gfs1.", show_default=False)]) -> None:
    """Go into a node of a stack that is up, as root."""
    lab = existing(stack)
    inside = [*lab.entering(), sys.executable, "-m", "rehearsal.door", str(lab.directory), node]
    raise typer.Exit(subprocess.run(inside, check=False).returncode)


@app.command()
def status(
    stack: Annotated[str | None, typer.Argument(help="All stacks, when left out.", show_default=False)] = None,
) -> None:
    """Say which stacks are up, and their machines."""
    found = False
    for name in [stack] if stack else stacks():
        lab = Lab(cache.DIRECTORY / "run", name)
        if lab.running:
            found = True
            print(f"{name}: up")
            subprocess.run(
                [*lab.entering(), sys.executable, "-m", "rehearsal.door", str(lab.directory)],
                check=True,
            )
    if not found:
        print(f"{stack}: not up" if stack else "no stack is up")


@app.command()
def down(stack: Stack) -> None:
    """End a stack's rehearsal, whatever it is doing, and remove all of it."""
    lab = existing(stack)
    with progress.step(f"Taking {stack} down"):
        lab.stop()
    left = residue(lab)
    if left:
        fail(f"{stack} is down, but these are left: {', '.join(left)}")


def rehearse(stack: str, extent: Extent, *, keep: bool, copy: Path | None) -> None:
    """Prepare this machine, run the stack, print and write the report; ends the process with its exit status."""
    settings = stack_settings(stack)
    reports = REPOSITORY / "reports" / stack
    lab = Lab(cache.DIRECTORY / "run", stack)
    signal.signal(signal.SIGTERM, interrupted)
    try:
        host.ensure()
        pulumi = engine.ensure()
        machines = image.ensure()
        kept = lab.kept
        if kept and extent == "drill-and-destroy":
            extent = "drill"
        try:
            if not kept:
                admitted = settings[f"{PROJECT}:network"]["ssh_from"]
                lab.start(machines, Outside.let_in_by(admitted), settings["aws:region"])
            words = [
                sys.executable,
                "-m",
                "rehearsal.inside",
                str(lab.directory),
                str(pulumi),
                stack,
                extent,
            ]
            ended = subprocess.run([*lab.entering(), *words], check=False, start_new_session=True).returncode
            if ended:
                log = lab.directory / "logs" / "engine.log"
                reports.mkdir(parents=True, exist_ok=True)
                if log.exists():
                    (reports / "engine.log").write_bytes(log.read_bytes())
                fail(f"the rehearsal of {stack} failed; the engine's log: {reports / 'engine.log'}")
            report = Report.model_validate_json((lab.directory / RESULT).read_text())
            if keep:
                lab.keep()
        finally:
            if not lab.kept:
                with progress.step(f"Taking {stack} down"):
                    lab.stop()
    except (host.HostError, LabError, ToolError) as error:
        fail(str(error))
    except KeyboardInterrupt:
        progress.console.print("interrupted: everything is taken down")
        raise typer.Exit(130) from None
    if not lab.kept:
        left = residue(lab)
        report.promises.append(
            Promise(
                name="nothing of the rehearsal is left on this machine",
                held=not left,
                measured=", ".join(left) or "nothing",
                bar="nothing",
            )
        )
    report.write(reports)
    if copy:
        copy.write_bytes((reports / "report.json").read_bytes())
    report.print(Console())
    print(reports / "report.json")
    print(reports / "report.html")
    raise typer.Exit(0 if report.ok else 1)


def interrupted(number: int, frame: object) -> NoReturn:
    raise KeyboardInterrupt


def stacks() -> list[str]:
    return sorted(
        file.name.removeprefix("Pulumi.").removesuffix(".yaml")
        for file in (REPOSITORY / "stacks").glob("Pulumi.*.yaml")
    )


def stack_settings(stack: str) -> dict[str, Any]:
    if stack not in stacks():
        fail(f"there is no stack {stack}; stacks/ has: {', '.join(stacks())}")
    settings: dict[str, Any] = yaml.safe_load((REPOSITORY / "stacks" / f"Pulumi.{stack}.yaml").read_text())["config"]
    return settings


def existing(stack: str) -> Lab:
    lab = Lab(cache.DIRECTORY / "run", stack)
    if not lab.running:
        fail(f"{stack} is not up; `rehearse up {stack} --keep` starts it")
    return lab


def fail(message: str) -> NoReturn:
    progress.console.print(message, style="red", highlight=False, markup=False, soft_wrap=True)
    raise typer.Exit(1)
