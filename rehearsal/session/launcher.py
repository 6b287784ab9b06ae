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
from rehearsal.report.model import Promise, Report
from rehearsal.session.leaks import residue
from rehearsal.session.runner import RESULT, Extent
from rehearsal.session.sandbox import Lab, OutsideAddresses
from rehearsal.setup import cache, engine, host, image


class RehearsalFailed(RuntimeError):
    """The rehearsal did not come to its end; the message says where to look."""


def rehearse(stack: str, extent: Extent, *, keep: bool) -> Report:
    """Run a stack and what `extent` asks for; the stack is taken down afterwards, unless it is kept.

    A stack that was kept before is used as it is, and stays.

    Raises `HostError`, `LabError` or `ToolError` when this machine cannot rehearse, `RehearsalFailed` when the stack
    could not be deployed.
    """
    settings = stack_settings(stack)
    host.ensure()
    pulumi = engine.ensure()
    machines = image.ensure()
    lab = lab_of(stack)
    if lab.kept and extent == "drill-and-destroy":
        extent = "drill"
    with held(lab, machines, settings, keep=keep):
        words = [sys.executable, "-m", "rehearsal.session.runner", str(lab.directory), str(pulumi), stack, extent]
        with subprocess.Popen([*lab.entering(), *words], start_new_session=True) as inside:
            try:
                inside.wait()
            except KeyboardInterrupt:
                os.killpg(inside.pid, signal.SIGKILL)
                raise
        if inside.returncode:
            raise RehearsalFailed(f"the rehearsal of {stack} failed; the engine's log: {saved_log(lab)}")
        report = Report.model_validate_json((lab.directory / RESULT).read_text())
    if not lab.kept:
        report.promises.append(nothing_left(lab))
    return report


@contextmanager
def held(lab: Lab, machines: image.Image, settings: dict[str, Any], *, keep: bool) -> Iterator[None]:
    """A region that is up while the block runs; afterwards too, if it was kept before or `keep` asks for it."""
    if lab.kept:
        yield
        return
    # machines that exist already are in no cloud's region, and have no firewall of a cloud
    admitted = settings.get(f"{PROJECT}:network", {}).get("ssh_from", ["0.0.0.0/0"])
    region = settings.get("aws:region") or settings.get(f"{PROJECT}:region", "")
    lab.start(machines, OutsideAddresses.let_in_by(admitted), region)
    try:
        yield
        if keep:
            lab.keep()
    finally:
        if not lab.kept:
            with progress.step(f"Taking {lab.stack} down"):
                lab.stop()


def nothing_left(lab: Lab) -> Promise:
    left = residue(lab)
    return Promise(
        name="nothing is left on this machine", held=not left, measured=", ".join(left) or "nothing", bar="nothing"
    )


def saved_log(lab: Lab) -> Path:
    """The engine's log, put where it outlives the region."""
    log = reports(lab.stack) / "engine.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    log.write_bytes((lab.directory / "logs" / "engine.log").read_bytes())
    return log


def reports(stack: str) -> Path:
    return REPOSITORY / "reports" / stack


def lab_of(stack: str) -> Lab:
    return Lab(cache.DIRECTORY / "run", stack)
