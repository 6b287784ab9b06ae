"""The command `rehearse`: two rehearsals at once, an interrupt, a kept stack, a real plugin, an unknown stack."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from rehearsal.deploy.stacks import stacks
from rehearsal.project import REPOSITORY
from rehearsal.session.launcher import sandbox_of
from rehearsal.session.leaks import leaks
from tests.rehearsal.command import REHEARSE, rehearse

STACK = "aws-wordpress"

PLUGIN = """\
#!{python}
import sys, threading
sys.path.insert(0, "{repository}")
from rehearsal.plugins import command
open("{started}", "w").close()
print(command.provider().serve(), flush=True)
threading.Event().wait()
"""
"""A plugin as the engine starts it: it prints its port. It serves our stand-in, because no real plugin is at hand."""


def until(happened: Callable[[], bool], limit: float) -> bool:
    end = time.monotonic() + limit
    while not happened() and time.monotonic() < end:
        time.sleep(0.1)
    return happened()


def test_a_second_rehearsal_is_refused_and_a_killed_one_leaves_nothing() -> None:
    sandbox = sandbox_of(STACK)
    with subprocess.Popen([REHEARSE, "up", STACK], stderr=subprocess.DEVNULL) as first:
        assert until(lambda: any((sandbox.directory / "machines").glob("*/console.log")), 120)

        second = rehearse("up", STACK, timeout=60)
        assert second.returncode == 1
        assert f"{STACK} is already being rehearsed" in second.stderr
        assert first.poll() is None
        assert f"{STACK}: up" in rehearse("status", STACK, timeout=60).stdout

        first.kill()
    assert until(lambda: not sandbox.running, 30)
    assert leaks(sandbox) == []


def test_an_interrupt_takes_the_stack_down_and_prints_it() -> None:
    sandbox = sandbox_of(STACK)
    # a shell starts background processes with SIGINT ignored, and their children inherit that
    command = ["env", "--default-signal=INT", REHEARSE]
    with subprocess.Popen([*command, "up", STACK], stderr=subprocess.PIPE, text=True) as running:
        assert until(lambda: any((sandbox.directory / "machines").glob("*/console.log")), 120)
        running.send_signal(signal.SIGINT)
        _, output = running.communicate(timeout=60)
    assert running.returncode == 130
    assert f"interrupted: {STACK} is down" in output
    assert leaks(sandbox) == []


def test_a_kept_stack_stays_until_it_is_taken_down_and_has_the_operators_own_plugin(tmp_path: Path) -> None:
    plugin = tmp_path / "pulumi-resource-command"
    plugin.write_text(PLUGIN.format(python=sys.executable, repository=REPOSITORY, started=tmp_path / "started"))
    plugin.chmod(0o755)
    path = f"{tmp_path}{os.pathsep}{os.environ['PATH']}"
    sandbox = sandbox_of(STACK)
    try:
        words = ["up", STACK, "--keep", "--json", str(tmp_path / "report.json")]
        done = rehearse(*words, env={**os.environ, "PATH": path})
        assert done.returncode == 0, done.stdout + done.stderr
        assert re.search(r"gfs1: running 10\.20\.", rehearse("status", timeout=60).stdout)
        shell = subprocess.run(
            [REHEARSE, "shell", STACK, "gfs2"], check=False, input="findmnt --types fuse.glusterfs --noheadings\n",
            capture_output=True, text=True, timeout=60,
        )  # fmt: skip
        assert "node-gfs3:/wp" in shell.stdout
    finally:
        ended = rehearse("down", STACK, timeout=120)
    assert ended.returncode == 0
    assert leaks(sandbox) == []

    assert (tmp_path / "started").exists()
    stand_ins = json.loads((tmp_path / "report.json").read_text())["stand_ins"]
    assert [kind for kind in stand_ins if kind.startswith("command:")] == []
    assert "tls:index/privateKey:PrivateKey" in stand_ins


def test_an_unknown_stack_is_refused_with_a_list_of_stacks() -> None:
    refused = rehearse("up", "no-such-stack", timeout=60)
    assert refused.returncode == 1
    assert f"there is no stack no-such-stack; stacks/ has: {', '.join(stacks())}" in refused.stderr
