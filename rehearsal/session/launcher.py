"""The part of a rehearsal outside its namespaces: prepare this host, start the region, start the runner inside."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
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
from rehearsal.setup import cache, engine, host, image, s3_server


class RehearsalFailed(RuntimeError):
    """The rehearsal failed before its end; the message names the engine's log."""


def rehearse(stack: str, mode: Mode, *, keep: bool, only: Sequence[str] = ()) -> Report:
    """Rehearse a stack; returns its report.

    `mode`: how far to go. `only`: names of the drill's parts to run; empty: all. `keep`: leave the stack up at the end;
    otherwise it is taken down. A stack that an earlier rehearsal kept is reused and stays up; its drill does not
    destroy it.

    Raises `UnknownStackError`; `HostError`, `SandboxError` or `ToolError` when this host cannot run a rehearsal;
    `RehearsalFailed` when the deployment or the drill failed.
    """
    settings = stack_settings(stack)
    host.ensure()
    pulumi = engine.ensure()
    machines = image.ensure()
    if mode != "up":
        # a drill starts it inside, where no module can be downloaded
        s3_server.ensure()
    sandbox = sandbox_of(stack)
    if sandbox.kept and mode == "drill-and-destroy":
        mode = "drill"
    with running_region(sandbox, machines, settings, keep=keep):
        runner_module = [sys.executable, "-m", "rehearsal.session.runner"]
        command = [*runner_module, str(sandbox.directory), str(pulumi), stack, mode, *only]
        with subprocess.Popen([*sandbox.exec_prefix(), *command], start_new_session=True) as runner:
            try:
                runner.wait()
            except KeyboardInterrupt:
                os.killpg(runner.pid, signal.SIGKILL)
                raise
        if runner.returncode:
            raise RehearsalFailed(f"the rehearsal of {stack} failed; read the engine's log: {save_log(sandbox)}")
        report = Report.model_validate_json((sandbox.directory / RESULT).read_text())
    if not sandbox.kept:
        report.checks.append(leak_check(sandbox))
    return report


@contextmanager
def running_region(sandbox: Sandbox, machines: image.Image, settings: dict[str, Any], *, keep: bool) -> Iterator[None]:
    """Run a region during the block. It outlives the block when an earlier rehearsal kept it, or with `keep`."""
    if sandbox.kept:
        yield
        return
    # a stack of existing machines has no cloud region and no cloud firewall, so any source may use SSH
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


def leak_check(sandbox: Sandbox) -> Check:
    """Check that the ended rehearsal left nothing on this host."""
    left = leaks(sandbox)
    return Check(
        name="left on this host after the rehearsal",
        passed=not left,
        measured=", ".join(left) or "nothing",
        limit="nothing",
    )


def save_log(sandbox: Sandbox) -> Path:
    """Copy the engine's log to the reports, because the region's directory is removed; returns the copy."""
    log = reports(sandbox.stack) / "engine.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    log.write_bytes((sandbox.directory / "logs" / "engine.log").read_bytes())
    return log


def reports(stack: str) -> Path:
    """The directory of a stack's reports."""
    return REPOSITORY / "reports" / stack


def sandbox_of(stack: str) -> Sandbox:
    """The sandbox of a stack on this host, running or not."""
    return Sandbox(cache.DIRECTORY / "run", stack)
