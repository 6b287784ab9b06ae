"""The one way onto a machine: a script run as root over SSH, as a resource of the graph."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pulumi
from pulumi_command import remote

HERE = Path(__file__).parent
END = "END_OF_STEP"
"""Ends a script in the command's text."""

BOOTING = 100
"""Dials until a machine that is being made is given up: about seven minutes."""

RUNNING = 10
"""Dials until a machine that has answered before is given up: about eleven seconds."""


@dataclass(frozen=True)
class Step:
    """A script to run on a machine, under a name. `params`: its environment. `timeout`: seconds until it is killed."""

    name: str
    script: Path
    params: Mapping[str, pulumi.Input[str]] = field(default_factory=dict)
    timeout: int = 60


class RemoteHost:
    """A machine that steps run on, each over a connection of its own that checks the machine's host key.

    `name`: of the machine, and the start of its steps' names. `address`: where SSH answers. `user`: may become root
    by sudo without a password. `private_key`: to log in with, in OpenSSH's form, secret. `host_key`: the machine's
    public one. `machine`: the resource that is the machine: a new one runs all steps anew, and its end is theirs; None
    for one that exists already, which is known by its host key.

    Every step waits for the first one; by default that is cloud-init's end without an error. `reachable`: what it
    waits for itself, such as the rules that let SSH in.
    """

    def __init__(
        self,
        name: str,
        *,
        address: pulumi.Input[str],
        user: str,
        private_key: pulumi.Output[str],
        host_key: pulumi.Output[str],
        machine: pulumi.CustomResource | None,
        reachable: list[pulumi.Resource],
        first: Step = Step("ready", HERE / "ready.sh", timeout=900),
        opts: pulumi.ResourceOptions,
    ) -> None:
        self.name = name
        self.address = address
        self.user = user
        self._private_key = private_key
        self._host_key = host_key
        self._machine = machine
        self._triggers = [machine.id if machine else host_key]
        self._needs: list[pulumi.Resource] = []
        self.ready = self.run(
            first.name,
            first.script,
            params=first.params,
            timeout=first.timeout,
            dials=BOOTING,
            opts=pulumi.ResourceOptions.merge(opts, pulumi.ResourceOptions(depends_on=reachable)),
        )
        self._needs = [self.ready]

    def run(
        self,
        step: str,
        script: Path,
        *,
        params: Mapping[str, pulumi.Input[str]] | None = None,
        secrets: Mapping[str, pulumi.Input[str]] | None = None,
        timeout: int = 60,
        dials: int = RUNNING,
        opts: pulumi.ResourceOptions,
    ) -> remote.Command:
        """Run a script as root when the step is made, when its text or a parameter changes, and on a new machine.

        `step`: what it does to this machine, the rest of the resource's name. `script`: of bash, idempotent.
        `params`: its environment, which previews show. `secrets`: come as shell assignments on standard input, which
        the script reads by `eval "$(cat)"`; they are in no command text, argument, environment or log.
        `timeout`: seconds until the script is killed. `dials`: attempts to connect.
        """
        environment = pulumi.Output.all(**params) if params else pulumi.Output.from_input(dict[str, str]())
        text = environment.apply(lambda known: command_text(script, known, timeout))
        stdin: pulumi.Output[str] | None = None
        if secrets:
            stdin = pulumi.Output.secret(pulumi.Output.all(**secrets).apply(assignments))
        return remote.Command(
            f"{self.name}-{step}",
            connection=self._connection(dials),
            create=text,
            update=text,
            stdin=stdin,
            triggers=self._triggers,
            # a line over 64 KiB would stall the log's reader, and what a script prints is for its failure only
            logging=remote.Logging.NONE,
            # needs the machine's sshd to accept the variables by name
            add_previous_output_in_env=False,
            opts=self._options(opts),
        )

    def copy(self, step: str, source: Path, *, opts: pulumi.ResourceOptions) -> tuple[str, remote.CopyToRemote]:
        """Copy a local file into the login user's home; returns its path there, and the copy to wait for."""
        path = f"{'/root' if self.user == 'root' else f'/home/{self.user}'}/{step}"
        return path, remote.CopyToRemote(
            f"{self.name}-{step}",
            connection=self._connection(RUNNING),
            source=pulumi.FileAsset(str(source)),
            remote_path=path,
            triggers=self._triggers,
            opts=self._options(opts),
        )

    def _connection(self, dials: int) -> remote.ConnectionArgs:
        return remote.ConnectionArgs(
            host=self.address,
            user=self.user,
            private_key=self._private_key,
            host_key=self._host_key,
            dial_error_limit=dials,
        )

    def _options(self, opts: pulumi.ResourceOptions) -> pulumi.ResourceOptions:
        own = pulumi.ResourceOptions(depends_on=self._needs, deleted_with=self._machine)
        return pulumi.ResourceOptions.merge(opts, own)


def command_text(script: Path, params: Mapping[str, str], timeout: int) -> str:
    """The command that runs a script as root with parameters, readable in a preview."""
    text = script.read_text()
    if END in text.splitlines():
        raise ValueError(f"{script} has a line {END}, which would end it early")
    given = "".join(f" {name}={shlex.quote(value)}" for name, value in params.items())
    return f"sudo -n env{given} timeout -k 10 {timeout} bash -c \"$(cat <<'{END}'\n{text}{END}\n)\""


def assignments(secrets: Mapping[str, str]) -> str:
    """Values as lines that a shell evaluates to variables."""
    return "".join(f"{name}={shlex.quote(value)}\n" for name, value in secrets.items())
