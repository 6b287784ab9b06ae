"""Deployment of a stack as its operator runs it: by the real engine, with the program unchanged.

Pulumi.yaml and the stacks' settings are copied to a scratch directory, because the engine writes to the settings. The
program runs from the repository.
"""

from __future__ import annotations

import os
import re
import runpy
import shutil
import sys
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import yaml
from pulumi import automation
from pulumi.automation import EngineEvent

from components.config import loader
from components.config.settings import Settings
from rehearsal import progress
from rehearsal.deploy.stacks import OWN_VARIABLES, SECRETS, with_own_values, without_secrets
from rehearsal.project import PROJECT, REPOSITORY

STEP_TEXT = re.compile(r": running '.*END_OF_STEP\\n\)\"'", re.DOTALL)
"""The script of a failed remote step in its error."""
UNCHANGED = {"same", "read"}
"""Operations that change no resource."""


class DeploymentFailed(RuntimeError):
    """An operation of the engine failed or was refused; the message has a line for each failed resource."""


@dataclass
class Step:
    """The engine's operation on one resource; times in seconds since the start of `up`, `refresh` or `destroy`."""

    urn: str
    type: str
    operation: str
    start: float
    end: float | None = None


@dataclass
class OperationResult:
    """The result of an operation: its duration, steps by URN and warnings, and the stack's outputs after an `up`."""

    seconds: float
    steps: dict[str, Step] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)
    outputs: dict[str, Any] = field(default_factory=dict)

    @property
    def changes(self) -> list[str]:
        """The resources that the operation created, changed or deleted, for example `Instance gfs1 (update)`."""
        changed = (step for step in self.steps.values() if step.operation not in UNCHANGED)
        return [f"{short_name(step.urn)} ({step.operation})" for step in changed]


@dataclass(frozen=True)
class EngineSetup:
    """The engine of a deployment and its provider plugins.

    `directory`: for scratch files. `engine`: the pulumi binary. `providers`: ports of the stand-ins, by provider.
    `plugins`: directories of real provider plugins that replace stand-ins, by the name in the plugin cache.
    """

    directory: Path
    engine: Path
    providers: dict[str, int]
    plugins: dict[str, Path] = field(default_factory=dict)


class Deployment:
    """One stack in the engine; construction copies its project files and creates or selects the stack.

    A secret of the stack's file becomes a placeholder, which is encrypted too: the operator's passphrase is not known
    here.
    """

    def __init__(self, stack: str, setup: EngineSetup) -> None:
        project = setup.directory / "project"
        project.mkdir(exist_ok=True)
        if not (project / "stacks").exists():
            shutil.copy(REPOSITORY / "Pulumi.yaml", project)
            (project / "stacks").mkdir()
            write_settings(REPOSITORY / "stacks" / f"Pulumi.{stack}.yaml", project / "stacks")
        home = setup.directory / "pulumi"
        for name, plugin in setup.plugins.items():
            link = home / "plugins" / name
            link.parent.mkdir(parents=True, exist_ok=True)
            link.unlink(missing_ok=True)
            link.symlink_to(plugin)
        (setup.directory / "state").mkdir(exist_ok=True)
        os.environ["PATH"] = f"{setup.engine.parent}{os.pathsep}{os.environ['PATH']}"
        os.environ.update(OWN_VARIABLES)
        self._log = setup.directory / "logs" / "engine.log"
        self._log.touch()
        self.stack = automation.create_or_select_stack(
            stack,
            project_name=PROJECT,
            program=_run_program,
            opts=automation.LocalWorkspaceOptions(
                work_dir=str(project),
                pulumi_home=str(home),
                env_vars={
                    "PULUMI_BACKEND_URL": (setup.directory / "state").as_uri(),
                    "PULUMI_CONFIG_PASSPHRASE": "rehearsal",
                    "PULUMI_DEBUG_PROVIDERS": ",".join(f"{name}:{port}" for name, port in setup.providers.items()),
                    "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
                    "PULUMI_SKIP_UPDATE_CHECK": "true",
                },
            ),
        )

        for name, item in self.stack.get_all_config().items():
            if name in SECRETS and not item.secret:
                self.set(name, item.value, secret=True)

    def up(self, shown: progress.Step) -> OperationResult:
        """Deploy; `shown` displays the resources in progress. Raises `DeploymentFailed`."""
        return self._run(self.stack.up, shown)

    def replace(self, names: Collection[str], shown: progress.Step) -> OperationResult:
        """Deploy with new resources in the place of those with these short names, as `pulumi up --replace` does.

        A remote step runs again then. Names that the stack does not have are left out. Raises `DeploymentFailed`.
        """
        urns = [resource["urn"] for resource in self.resources() if short_name(resource["urn"]) in names]
        return self._run(partial(self.stack.up, replace=urns), shown)

    def refresh(self, shown: progress.Step) -> OperationResult:
        """Ask the providers for every resource; the state forgets those that are gone. Raises `DeploymentFailed`."""
        return self._run(self.stack.refresh, shown)

    def destroy(self, shown: progress.Step) -> OperationResult:
        """Destroy as the CLI does: preview first, so that a refusal precedes any change. Raises `DeploymentFailed`."""
        self._run(self.stack.preview_destroy, shown)
        return self._run(self.stack.destroy, shown)

    def set(self, key: str, value: str, *, secret: bool = False) -> None:
        """Set one setting in the scratch copy of the stack's file; `key`: a path such as `project:nodes.gfs1.zone`."""
        self.stack.set_config(key, automation.ConfigValue(value, secret), path=True)

    def remove(self, key: str) -> None:
        """Remove one setting from the scratch copy of the stack's file; `key`: as for `set`."""
        self.stack.remove_config(key, path=True)

    def settings(self) -> Settings:
        """The settings that the program reads. Raises `SettingsError` when they are wrong."""
        prefix = f"{PROJECT}:"
        config = self.stack.get_all_config()
        return loader.parse(
            {
                name.removeprefix(prefix): item.value
                for name, item in config.items()
                if name.startswith(prefix) or name == "aws:region"
            }
        )

    def outputs(self) -> dict[str, Any]:
        """The stack's outputs, by name."""
        return {name: output.value for name, output in self.stack.outputs().items()}

    def resources(self) -> list[dict[str, Any]]:
        """The resources in the engine's state."""
        deployment = self.stack.export_stack().deployment or {}
        resources: list[dict[str, Any]] = deployment.get("resources", [])
        return resources

    def _run(self, operation: Callable[..., Any], shown: progress.Step) -> OperationResult:
        begun = time.time()
        steps: dict[str, Step] = {}
        errors: list[str] = []
        warnings: list[str] = []

        def show() -> None:
            busy = [short_name(step.urn) for step in list(steps.values()) if step.end is None]
            shown.detail(", ".join(busy[-3:]))

        def on_event(event: EngineEvent) -> None:
            now = time.time() - begun
            if event.resource_pre_event:
                data = event.resource_pre_event.metadata
                steps[data.urn] = Step(data.urn, data.type, data.op.value, now)
                show()
            elif event.res_outputs_event and event.res_outputs_event.metadata.urn in steps:
                done = event.res_outputs_event.metadata
                # what a refresh found out is only known at its end
                steps[done.urn].operation, steps[done.urn].end = done.op.value, now
                show()
            elif event.diagnostic_event and event.diagnostic_event.severity == "warning":
                warnings.append(event.diagnostic_event.message.strip())
            elif event.diagnostic_event and event.diagnostic_event.severity == "error":
                where = (event.diagnostic_event.urn or "").split("::")[-1]
                # the error of a failed step repeats its script; only its output is of use
                output = STEP_TEXT.sub("", event.diagnostic_event.message).strip()
                errors.append(f"{where}: {output}" if where else output)

        with self._log.open("a") as log:
            try:
                operation(on_event=on_event, on_output=lambda line: print(line, file=log), color="never")
            except automation.CommandError as error:
                raise DeploymentFailed("\n".join(errors) or str(error)) from error
        result = OperationResult(time.time() - begun, steps, warnings)
        if operation == self.stack.up:
            result.outputs = self.outputs()
        return result


def write_settings(source: Path, directory: Path) -> None:
    """Write a stack's settings into a directory: unchanged, unless they have secrets or placeholders.

    A secret becomes a placeholder, and the operator's own values, such as a domain, replace theirs.
    """
    text = source.read_text()
    content = yaml.safe_load(text)
    readable = with_own_values(without_secrets(content))
    (directory / source.name).write_text(text if readable == content else yaml.safe_dump(readable, sort_keys=False))


def short_name(urn: str) -> str:
    """A resource's type and name, without module and parents: `Instance gfs1`."""
    *_, types, name = urn.split("::")
    return f"{types.split('$')[-1].split(':')[-1]} {name}"


def _run_program() -> None:
    """Run the program as the CLI does, from its own directory, so that it finds its modules."""
    os.chdir(REPOSITORY)
    sys.path[0] = str(REPOSITORY)
    runpy.run_path(str(REPOSITORY / "__main__.py"), run_name="__main__")
