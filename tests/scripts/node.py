"""A machine of a test, on which steps run with the command text that `components.machine.remote` makes."""

from __future__ import annotations

import random
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from components.machine.remote import assignments, command_text
from rehearsal.region.endpoint import Port
from rehearsal.region.machine import Machine
from rehearsal.region.region import Region

COMPONENTS = Path(__file__).parents[2] / "components"

STATE = r"""
find /etc /usr/local /root -type f -exec sha256sum {} + -exec stat --format '%n %a %U' {} + | sort
find /srv /var/www -type f -printf '%p inode %i changed %T@ mode %m owner %u\n' | sort
sha256sum /var/lib/glusterd/vols/*/info /var/lib/glusterd/peers/* 2>/dev/null
findmnt --noheadings --list --output TARGET,SOURCE --types xfs,fuse.glusterfs
ps -ww -eo pid,lstart,args | grep -E ' (/usr/s?bin/(gluster|varnish)|nginx: |php-fpm: (m|pool h))' | grep -v grep | sort
systemctl list-unit-files --state=enabled --no-legend
"""
"""Prints what a second run of a step must leave unchanged: files and their times, mounts, services."""


OUTSIDE = "/srv/outside"
"""A directory of root's on a machine, with one file, to which a test plants links."""

PROTECTED = r"""
find /etc /root /usr/local /srv/outside -printf '%p %y %m %U %G %l\n' | sort
find /etc /root /usr/local /srv/outside -type f -exec sha256sum {} + | sort
"""
"""Prints what no step may change by a link that www-data planted."""

TIMEOUT = 180
"""Seconds after which a step is killed."""

KILLS = 10
"""Random moments at which a test kills a step."""

KILLED = 128 + 9
"""Exit status of a step that a signal has killed."""

SYSTEMCTL = "/usr/local/sbin/systemctl"
KILL_BEFORE_LOAD = r"""#!/bin/bash
if [[ $* == @(reload|restart|try-)* ]] && mkdir "/run/killed before $*" 2>/dev/null; then
    kill -KILL 0
fi
exec /usr/bin/systemctl "$@"
"""
"""Stands in for systemctl: kills the step before a service loads files, once for each such command."""


class Node:
    """A machine under the operator's name for it."""

    def __init__(self, name: str, machine: Machine) -> None:
        self.name, self.machine = name, machine
        self.address = machine.endpoint.address
        self.disk = f"/dev/disk/by-id/nvme-Amazon_Elastic_Block_Store_vol{name}"

    def run(self, *command: str, stdin: str | None = None) -> str:
        """The output of a command inside; raises `ToolError` when it fails."""
        return self.machine.enter(*command, stdin=stdin, timeout=120)

    def state(self) -> list[str]:
        """Everything that a second run of a step must leave unchanged, one item on each line."""
        return self.run("sh", "-c", STATE).splitlines()

    def step(
        self, script: str, params: Mapping[str, str] | None = None, secrets: Mapping[str, str] | None = None
    ) -> None:
        """Run a script of components/ (its path there), which must succeed and print nothing."""
        output = self.step_output(script, params, secrets)
        assert not output, f"{script} on {self.name} is not quiet: {output}"

    def step_output(
        self, script: str, params: Mapping[str, str] | None = None, secrets: Mapping[str, str] | None = None
    ) -> str:
        """Run a script of components/ (its path there), which must succeed; returns its output."""
        done = self._attempt(script, params, secrets)
        output = done.stdout + done.stderr
        assert done.returncode == 0, f"{script} on {self.name}: exit status {done.returncode}: {output}"
        return output

    def again(
        self, script: str, params: Mapping[str, str] | None = None, secrets: Mapping[str, str] | None = None
    ) -> None:
        """Run a step that has run before: it must write, mount and restart nothing."""
        before = self.state()
        self.step(script, params, secrets)
        changed = sorted(set(before) ^ set(self.state()))
        assert not changed, f"a second {script} on {self.name} changed:\n" + "\n".join(changed)

    def refuses(
        self, script: str, params: Mapping[str, str] | None = None, secrets: Mapping[str, str] | None = None
    ) -> str:
        """Run a step that must fail before its time limit; returns its output."""
        done = self._attempt(script, params, secrets)
        assert done.returncode not in (0, 124, 137), f"{script} on {self.name}: exit status {done.returncode}"
        return done.stdout + done.stderr

    def plant(self, *commands: str) -> None:
        """Run shell commands as www-data, beside the directory OUTSIDE of root's."""
        self.run("sh", "-c", f"mkdir -p {OUTSIDE}; echo kept >{OUTSIDE}/file")
        self.run("setpriv", "--reuid=www-data", "--regid=www-data", "--clear-groups", "sh", "-euc", "; ".join(commands))

    def protected(self) -> list[str]:
        """Every file and directory that no step may change by a link that www-data planted."""
        return self.run("sh", "-c", PROTECTED).splitlines()

    def eventually(self, *command: str, within: float = 30) -> None:
        """Wait at most `within` seconds until a command inside succeeds."""
        end = time.monotonic() + within
        while self._inside(*command).returncode:
            assert time.monotonic() < end, f"{self.name}: not within {within} s: {' '.join(command)}"
            time.sleep(0.2)

    def applies_after_kills(
        self,
        script: str,
        one: Mapping[str, str],
        other: Mapping[str, str],
        in_force: Mapping[str, str],
        secrets: Mapping[str, Mapping[str, str]] | None = None,
    ) -> None:
        """Kill a step, and run it again each time: its parameters must then be in force.

        It is killed before each of its commands that have a service load files, and at random moments.

        `one`, `other`: two sets of parameters, which take turns. `in_force`: by the name of each, a shell command that
        succeeds while the running services have loaded its files. `secrets`: by the same names.
        """
        variants, hidden = {"one": one, "other": other}, secrets or {"one": {}, "other": {}}
        self.step(script, one, hidden["one"])
        self._kill_before_loads(script, other, hidden["other"])
        self.eventually("sh", "-c", in_force["other"])
        start = time.monotonic()
        self.step(script, one, hidden["one"])
        whole = time.monotonic() - start
        seed = random.SystemRandom().getrandbits(32)
        print(f"{script} takes {whole:.1f} s; it is killed at moments of the seed {seed}")  # noqa: T201
        chosen = random.Random(seed)
        for at in range(KILLS):
            name = ("other", "one")[at % 2]
            moment = chosen.uniform(0, whole)
            text = command_text(COMPONENTS / script, variants[name], TIMEOUT)
            # timeout(1) sends its signal to the whole process group
            limited = text.replace(f" timeout -k 10 {TIMEOUT} ", f" timeout --signal=KILL {moment:.3f} ")
            assert limited != text
            self._inside("bash", "-c", limited, stdin=assignments(hidden[name]))
            print(f"killed after {moment:.3f} s")  # noqa: T201
            self.step(script, variants[name], hidden[name])
            self.eventually("sh", "-c", in_force[name])

    def _kill_before_loads(self, script: str, params: Mapping[str, str], secrets: Mapping[str, str]) -> None:
        """Run a step until none of its commands that load files kills it; each does so once."""
        self.run("sh", "-c", f"cat >{SYSTEMCTL}; chmod 755 {SYSTEMCTL}", stdin=KILL_BEFORE_LOAD)
        try:
            while (done := self._attempt(script, params, secrets)).returncode == KILLED:
                pass
            assert done.returncode == 0, f"{script} on {self.name}: {done.stdout}{done.stderr}"
            assert self.run("find", "/run", "-maxdepth", "1", "-name", "killed before *"), f"{script} loads no file"
        finally:
            self.run("sh", "-c", f"rm -rf {SYSTEMCTL} /run/killed*")

    def survives_kills(self, service: str) -> None:
        """Kill a service's main process six times: each time systemd must start it again.

        systemd's default limit is five starts in 10 s.
        """
        for _ in range(6):
            killed = self.run("systemctl", "show", "--property=MainPID", "--value", service).strip()
            self.run("systemctl", "kill", "--kill-whom=main", "--signal=KILL", service)
            pid = f"$(systemctl show --property=MainPID --value {service})"
            running = f'systemctl is-active --quiet {service} && pid={pid} && [ "$pid" -gt 0 ]'
            self.eventually("sh", "-c", f'{running} && [ "$pid" != {killed} ]', within=15)

    def _attempt(
        self, script: str, params: Mapping[str, str] | None, secrets: Mapping[str, str] | None
    ) -> subprocess.CompletedProcess[str]:
        text = command_text(COMPONENTS / script, params or {}, TIMEOUT)
        return self._inside("bash", "-c", text, stdin=assignments(secrets or {}))

    def _inside(self, *command: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        words = [*self.machine.exec_prefix(), *command]
        return subprocess.run(words, check=False, capture_output=True, text=True, input=stdin, timeout=210)


@contextmanager
def plain_machines(region: Region, ports: Mapping[str, Sequence[Port]]) -> Iterator[dict[str, Node]]:
    """Machines of the image alone, by name, on these ports while the block runs."""
    nodes = {}
    for name, own in ports.items():
        machine = region.new_machine(
            f"i-{name}",
            name=name,
            hostname=name,
            ports=own,
            user_data=b"#cloud-config\n{}\n",
            public_keys=[],
        )
        machine.power_on()
        nodes[name] = Node(name, machine)
    for node in nodes.values():
        node.eventually("systemctl", "is-active", "--quiet", "multi-user.target", within=120)
    yield nodes
    for node in nodes.values():
        node.machine.power_off()
