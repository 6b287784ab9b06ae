"""The program of a node's maintenance, with everything that it calls replaced by programs that note the call."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from components.maintenance import maintenance
from components.roll.nodes import Duties

CALLS = ("mount", "apt-get", "unattended-upgrade", "systemctl", "dpkg-query")
LIBRARY = ("site-maintenance-check", "site-maintenance-drain")
BEFORE = ["mount -t", "apt-get update", "site-maintenance-lock take"]
"""The calls of a node that waits for a reboot, until it has the lock."""
PROGRAM = """\
#!/bin/bash
echo "{name} ${{1-}}" >>{calls}
[ ! -e {directory}/{name}.output ] || sh {directory}/{name}.output
"""
LOCK = """\
#!/bin/bash
echo "site-maintenance-lock $1" >>{calls}
[ "$1" = free ] || echo "$2"
"""


class Machine:
    """The program on a machine of its own directory."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._calls = directory / "calls"
        self._bin, library = directory / "bin", directory / "lib"
        for folder, names in ((self._bin, CALLS), (library, LIBRARY)):
            folder.mkdir()
            for name in names:
                self._write(folder / name, PROGRAM.format(name=name, calls=self._calls, directory=directory))
        self._write(library / "site-maintenance-lock", LOCK.format(calls=self._calls))
        (directory / "run").mkdir()
        text = maintenance.maintenance_params(
            "gfs1", Duties(("http://own",), "wp", "/log"), ["http://other"], "wp", ["gfs2", "gfs1"], "daily",
            gate_limit=0, return_limit=0, lock_limit=0,
        )["PROGRAM"]  # fmt: skip
        for path, own in (("/usr/local/lib/ha-wordpress", "lib"), ("/run/", "run/"), ("/var/lib/ha-wordpress", "var")):
            text = text.replace(path, f"{directory}/{own}")
        self._program = directory / "program"
        self._write(self._program, text)

    def answer(self, name: str, script: str) -> None:
        """Let a program run a script."""
        (self.directory / f"{name}.output").write_text(script)

    def run(self, action: str) -> subprocess.CompletedProcess[str]:
        path = f"{self._bin}:{os.environ['PATH']}"
        return subprocess.run(
            [self._program, action], env={"PATH": path}, check=False, capture_output=True, text=True, timeout=60
        )

    @property
    def calls(self) -> list[str]:
        return [line.strip() for line in self._calls.read_text().splitlines()]

    @property
    def left(self) -> set[str]:
        """The files that tell of a maintenance under way."""
        files = {
            "flag": "run/ha-wordpress-maintenance",
            "drained": "run/ha-wordpress-drained",
            "state": "var/maintenance",
        }
        return {name for name, path in files.items() if (self.directory / path).exists()}

    def _write(self, path: Path, text: str) -> None:
        path.write_text(text)
        path.chmod(0o755)


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    """A machine that waits for a reboot, in a whole site."""
    monkeypatch.setattr(maintenance, "NOTICED", 0)
    made = Machine(tmp_path)
    (tmp_path / "run/reboot-required").touch()
    made.answer("site-maintenance-drain", f": >{tmp_path}/run/ha-wordpress-drained")
    return made


def lacking(machine: Machine, *answers: str) -> None:
    """Let the check answer this, one after another; the last one again and again."""
    cases = "".join(f"{at}) printf %s '{answer}' ;;\n" for at, answer in enumerate(answers[:-1], 1))
    machine.answer(
        "site-maintenance-check",
        f'case $(grep -c check {machine.directory}/calls) in\n{cases}*) printf %s "{answers[-1]}" ;;\nesac\n',
    )


def assert_that(machine: Machine, calls: Sequence[str], left: set[str]) -> None:
    assert machine.calls == [*calls]
    assert machine.left == left


def test_a_node_leaves_the_balancer_looks_again_upgrades_and_reboots(machine: Machine) -> None:
    done = machine.run("begin")
    assert done.returncode == 0, done.stderr
    check = "site-maintenance-check"
    upgrade = ["unattended-upgrade", "dpkg-query --show", "apt-get install", "systemctl reboot"]
    assert_that(machine, [*BEFORE, check, "site-maintenance-drain", check, *upgrade], {"flag", "drained", "state"})


def test_a_node_that_waits_for_nothing_only_frees_a_lock(machine: Machine) -> None:
    (machine.directory / "run/reboot-required").unlink()
    machine.answer("unattended-upgrade", "echo 'No packages found that can be upgraded unattended'")
    assert machine.run("begin").returncode == 0
    assert machine.calls[-1] == "site-maintenance-lock free"
    assert "site-maintenance-lock take" not in machine.calls
    assert machine.left == set()


@pytest.mark.parametrize(
    ("name", "answer"),
    [
        ("apt-get", "echo 'Inst glusterfs-server [11.1-6] (11.1-7 Debian:13 [amd64])'"),
        ("unattended-upgrade", "echo 'Packages that will be upgraded: nginx'"),
    ],
)
def test_a_package_that_waits_is_enough(machine: Machine, name: str, answer: str) -> None:
    (machine.directory / "run/reboot-required").unlink()
    machine.answer(name, answer)
    assert machine.run("begin").returncode == 0
    assert machine.calls[-1] == "systemctl reboot"


def test_a_site_that_needs_the_node_leaves_it_untouched(machine: Machine) -> None:
    lacking(machine, "brick gfs2 is offline")
    done = machine.run("begin")
    assert done.returncode == 1
    assert done.stderr == "The site needs this node. Nothing was touched:\nbrick gfs2 is offline\n"
    assert_that(machine, [*BEFORE, "site-maintenance-check", "site-maintenance-lock free"], set())


def test_a_node_that_is_drained_in_vain_returns(machine: Machine) -> None:
    lacking(machine, "", "gfs2 is drained")
    assert machine.run("begin").returncode == 1
    assert machine.calls[-3:] == ["site-maintenance-drain", "site-maintenance-check", "site-maintenance-lock free"]
    assert machine.left == set()


def test_a_node_whose_upgrade_fails_serves_on_and_keeps_the_lock(machine: Machine) -> None:
    machine.answer("unattended-upgrade", "exit 1")
    assert machine.run("begin").returncode == 1
    assert machine.calls[-1] == "unattended-upgrade"
    assert machine.left == {"state"}


def test_a_node_frees_the_lock_when_it_is_whole(machine: Machine) -> None:
    (machine.directory / "var").mkdir()
    (machine.directory / "var/maintenance").touch()
    lacking(machine, "entries to heal: 3")
    done = machine.run("finish")
    assert done.returncode == 1
    assert "It keeps the lock, so that no other node begins:\nentries to heal: 3\n" in done.stderr
    assert_that(machine, ["mount -t", "site-maintenance-check"], {"state"})
    lacking(machine, "")
    assert machine.run("finish").returncode == 0
    assert machine.calls[-1] == "site-maintenance-lock free"
    assert machine.left == set()
