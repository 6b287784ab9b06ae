"""Steps: scripts that run as root on a machine over SSH, each a resource of the graph."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pulumi
from pulumi_command import remote

HERE = Path(__file__).parent
PRELUDE = HERE / "prelude.sh"
"""Functions that every step may call; its text comes before that of the step's script."""

RESTART = HERE / "restart.conf"
"""Drop-in of a systemd service that must come back after every end."""

END = "END_OF_STEP"
"""Line that ends a script in the command's text."""

BOOTING = 60
"""Failed attempts to connect to a machine that may still be booting: four minutes of refusals, or less than ten minutes
without an answer.
"""

RUNNING = 10
"""Failed attempts to connect to a machine that has answered before: eleven seconds of refusals, or about a minute
without an answer.
"""

DIAL_TIMEOUT = 5
"""Seconds that one attempt waits for an answer; in them the system asks three times (tcp(7), tcp_syn_retries)."""


@dataclass(frozen=True)
class Step:
    """A named script for a machine. `params`: its environment. `timeout`: seconds after which it is killed."""

    name: str
    script: Path
    params: Mapping[str, pulumi.Input[str]] = field(default_factory=dict)
    timeout: int = 60


class RemoteHost:
    """A machine that runs steps. Each step uses its own SSH connection and checks the machine's host key.

    `name`: the machine's name; the names of its steps begin with it. `address`: the SSH server's address. `user`: the
    login name; the user can become root with sudo, without a password. `private_key`: the login key in OpenSSH's
    format, secret. `host_key`: the machine's public host key. `machine`: the resource of the machine: if it is
    replaced, all steps run again, and if it is deleted, they are deleted with it; None for an existing machine, whose
    steps run again if its host key changes. `reachable`: resources that SSH needs, such as firewall rules. `first`:
    the step that waits for `reachable` and that all other steps wait for; by default it waits until cloud-init has
    succeeded. `change`: hooks of the steps that interrupt the machine. `lifetime`: hooks of the first step.
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
        change: pulumi.ResourceHookBinding,
        lifetime: pulumi.ResourceHookBinding,
        opts: pulumi.ResourceOptions,
    ) -> None:
        self.name = name
        self.address = address
        self.user = user
        self.private_key = private_key
        self.host_key = host_key
        self.steps: list[pulumi.CustomResource] = []
        self._change = change
        self._machine = machine
        self._triggers = [machine.id if machine else host_key]
        self._depends_on: list[pulumi.Resource] = []
        self.ready = self.run(
            first.name,
            first.script,
            params=first.params,
            timeout=first.timeout,
            dials=BOOTING,
            opts=pulumi.ResourceOptions.merge(
                opts,
                pulumi.ResourceOptions(
                    depends_on=reachable,
                    hooks=pulumi.ResourceHookBinding.merge(
                        pulumi.ResourceHookBinding(
                            on_error=[pulumi.ErrorHook(f"{name}-unreachable", explain_unreachable)]
                        ),
                        lifetime,
                    ),
                ),
            ),
        )
        self._depends_on = [self.ready]

    def run(
        self,
        step: str,
        script: Path,
        *,
        params: Mapping[str, pulumi.Input[str]] | None = None,
        secrets: Mapping[str, pulumi.Input[str]] | None = None,
        timeout: int = 60,
        dials: int = RUNNING,
        interrupts: bool = False,
        opts: pulumi.ResourceOptions,
    ) -> remote.Command:
        """Add a step that runs a script as root; returns its resource.

        The script runs once, again after its text or a parameter changes, and again on a replaced machine.

        `step`: end of the resource's name. `script`: an idempotent bash script. `params`: its environment, visible in
        previews. `secrets`: variables that the script reads from standard input with `eval "$(cat)"`; they appear in
        no command text, argument, environment or log. `timeout`: seconds after which the script is killed. `dials`:
        connection attempts. `interrupts`: whether the script, when it runs again, may stop what the machine does for
        the site: its update waits for the machine's turn.
        """
        environment = pulumi.Output.all(**params) if params else pulumi.Output.from_input(dict[str, str]())
        text = environment.apply(lambda known: command_text(script, known, timeout))
        stdin: pulumi.Output[str] | None = None
        if secrets:
            stdin = pulumi.Output.secret(pulumi.Output.all(**secrets).apply(assignments))
        command = remote.Command(
            f"{self.name}-{step}",
            connection=self._connection(dials),
            create=text,
            update=text,
            stdin=stdin,
            triggers=self._triggers,
            # a line over 64 KiB would stall the reader of the log; the output is shown only if the script fails
            logging=remote.Logging.NONE,
            # needs an sshd whose AcceptEnv names the variables
            add_previous_output_in_env=False,
            opts=self._options(
                pulumi.ResourceOptions.merge(opts, pulumi.ResourceOptions(hooks=self._change)) if interrupts else opts
            ),
        )
        self.steps.append(command)
        return command

    def copy(self, step: str, source: Path, *, opts: pulumi.ResourceOptions) -> tuple[str, remote.CopyToRemote]:
        """Copy a local file into the login user's home; returns its path there, and the resource to wait for.

        `step`: end of the resource's name, and name of the copy. `source`: path of the local file.
        """
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
            private_key=self.private_key,
            host_key=self.host_key,
            dial_error_limit=dials,
            per_dial_timeout=DIAL_TIMEOUT,
        )

    def _options(self, opts: pulumi.ResourceOptions) -> pulumi.ResourceOptions:
        own = pulumi.ResourceOptions(depends_on=self._depends_on, deleted_with=self._machine)
        return pulumi.ResourceOptions.merge(opts, own)


def explain_unreachable(failed: pulumi.ErrorHookArgs) -> bool:
    """Log what may be closed if a machine's first step failed without a connection; returns False: no further try.

    pulumi-command words the failure as "after 60 failed attempts: dial tcp 198.51.100.4:22: i/o timeout".
    """
    if "failed attempts" in failed.errors[0]:
        pulumi.log.error(
            f"{failed.name}: no answer by SSH. Check that network.ssh_from admits the public address of the machine "
            "that runs this update, that no firewall on the way closes port 22, and in the cloud's console that the "
            "machine has booted. Then run the update again: it continues where it stopped."
        )
    return False


def command_text(script: Path, params: Mapping[str, str], timeout: int) -> str:
    """The command that runs the prelude and a script as root, readable in a preview.

    `params`: environment variables. `timeout`: seconds until it is killed. Raises `ValueError` for a script with the
    line `END_OF_STEP`.
    """
    text = PRELUDE.read_text() + script.read_text()
    if END in text.splitlines():
        raise ValueError(f"{script} has a line {END}, which would end it early")
    environment = "".join(f" {name}={shlex.quote(value)}" for name, value in params.items())
    return f"sudo -n env{environment} timeout -k 10 {timeout} bash -c \"$(cat <<'{END}'\n{text}{END}\n)\""


def assignments(secrets: Mapping[str, str]) -> str:
    """Shell assignments, one per line, that set variables to the values."""
    return "".join(f"{name}={shlex.quote(value)}\n" for name, value in secrets.items())
