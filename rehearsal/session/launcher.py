"""The part of a rehearsal that runs outside of it: prepare this machine, start the region, send the operator in."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rehearsal import progress
from rehearsal.deploy.stacks import stack_settings
from rehearsal.project import PROJECT, REPOSITORY
from rehearsal.region.outside_addresses import OutsideAddresses
from rehearsal.report.model import Check, Report
from rehearsal.session.leaks import leaks
from rehearsal.session.runner import RESULT, Mode
from rehearsal.session.sandbox import Sandbox
from rehearsal.setup import cache, engine, host, image


class RehearsalFailed(RuntimeError):
    """The rehearsal did not come to its end; the message says where to look."""


def rehearse(stack: str, mode: Mode, *, keep: bool) -> Report:
    """Run a stack and what `mode` asks for; the stack is taken down afterwards, unless it is kept.

    A stack that was kept before is used as it is, and stays.

    Raises `HostError`, `SandboxError` or `ToolError` when this host cannot rehearse, `RehearsalFailed` when the stack
    could not be deployed.
    """
    settings = stack_settings(stack)
    host.ensure()
    pulumi = engine.ensure()
    machines = image.ensure()
    sandbox = sandbox_of(stack)
    if sandbox.kept and mode == "drill-and-destroy":
        mode = "drill"
    with held(sandbox, machines, settings, keep=keep):
        words = [sys.executable, "-m", "rehearsal.session.runner", str(sandbox.directory), str(pulumi), stack, mode]
        with subprocess.Popen([*sandbox.exec_prefix(), *words], start_new_session=True) as inside:
            try:
                inside.wait()
            except KeyboardInterrupt:
                os.killpg(inside.pid, signal.SIGKILL)
                raise
        if inside.returncode:
            raise RehearsalFailed(f"the rehearsal of {stack} failed; the engine's log: {saved_log(sandbox)}")
        report = Report.model_validate_json((sandbox.directory / RESULT).read_text())
    if not sandbox.kept:
        report.checks.append(nothing_left(sandbox))
    return report


@contextmanager
def held(sandbox: Sandbox, machines: image.Image, settings: dict[str, Any], *, keep: bool) -> Iterator[None]:
    """A region that is up while the block runs; afterwards too, if it was kept before or `keep` asks for it."""
    if sandbox.kept:
        yield
        return
    # machines that exist already are in no cloud's region, and have no firewall of a cloud
    admitted = settings.get(f"{PROJECT}:network", {}).get("ssh_from", ["0.0.0.0/0"])
    region = settings.get("aws:region") or settings.get(f"{PROJECT}:region", "")
    sandbox.start(machines, OutsideAddresses.admitted_by(admitted), region)
    try:
        yield
        if keep:
            sandbox.keep()
    finally:
        if not sandbox.kept:
            with progress.step(f"Taking {sandbox.stack} down"):
                sandbox.stop()


def nothing_left(sandbox: Sandbox) -> Check:
    left = leaks(sandbox)
    return Check(
        name="nothing is left on this machine", held=not left, measured=", ".join(left) or "nothing", limit="nothing"
    )


def saved_log(sandbox: Sandbox) -> Path:
    """The engine's log, put where it outlives the region."""
    log = reports(sandbox.stack) / "engine.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    log.write_bytes((sandbox.directory / "logs" / "engine.log").read_bytes())
    return log


def reports(stack: str) -> Path:
    return REPOSITORY / "reports" / stack


def sandbox_of(stack: str) -> Sandbox:
    return Sandbox(cache.DIRECTORY / "run", stack)
