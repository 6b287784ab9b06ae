"""The stack's deployment, as its operator would run it: the real engine, the program unchanged.

Only Pulumi.yaml and the stack's settings are copied, because the engine writes into the latter; the program is run
from where it stands.
"""

from __future__ import annotations

import os
import re
import runpy
import shutil
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pulumi import automation
from pulumi.automation import EngineEvent

from components.config import loader
from components.config.settings import Settings
from rehearsal import progress
from rehearsal.project import PROJECT, REPOSITORY

STEP_TEXT = re.compile(r": running '.*END_OF_STEP\\n\)\"'", re.DOTALL)
QUIET = {"same", "read"}
"""Steps that change nothing."""


class DeploymentFailed(RuntimeError):
    """The engine refused or failed; the message holds what it said, resource by resource."""


@dataclass
class Step:
    """What the engine did to one resource; times in seconds since the operation's start."""

    urn: str
    type: str
    operation: str
    start: float
    end: float | None = None


@dataclass
class Result:
    seconds: float
    steps: dict[str, Step] = field(default_factory=dict)
    outputs: dict[str, Any] = field(default_factory=dict)

    @property
    def changes(self) -> int:
        return sum(step.operation not in QUIET for step in self.steps.values())


@dataclass(frozen=True)
class Workplace:
    """Where a deployment runs: a scratch directory, the engine, and the stand-ins' ports by provider.

    `plugins`: a real provider plugin's directory by name, where the operator has one; it takes the stand-in's place.
    """

    directory: Path
    engine: Path
    providers: dict[str, int]
    plugins: dict[str, Path] = field(default_factory=dict)


class Deployment:
    """One stack, from its first preview to its destruction."""

    def __init__(self, stack: str, workplace: Workplace) -> None:
        project = workplace.directory / "project"
        project.mkdir(exist_ok=True)
        if not (project / "stacks").exists():
            shutil.copy(REPOSITORY / "Pulumi.yaml", project)
            shutil.copytree(REPOSITORY / "stacks", project / "stacks")
        home = workplace.directory / "pulumi"
        for name, plugin in workplace.plugins.items():
            link = home / "plugins" / name
            link.parent.mkdir(parents=True, exist_ok=True)
            link.unlink(missing_ok=True)
            link.symlink_to(plugin)
        (workplace.directory / "state").mkdir(exist_ok=True)
        os.environ["PATH"] = f"{workplace.engine.parent}{os.pathsep}{os.environ['PATH']}"
        self._log = workplace.directory / "logs" / "engine.log"
        self._log.touch()
        self.stack = automation.create_or_select_stack(
            stack,
            project_name=PROJECT,
            program=_run_program,
            opts=automation.LocalWorkspaceOptions(
                work_dir=str(project),
                pulumi_home=str(home),
                env_vars={
                    "PULUMI_BACKEND_URL": (workplace.directory / "state").as_uri(),
                    "PULUMI_CONFIG_PASSPHRASE": "rehearsal",
                    "PULUMI_DEBUG_PROVIDERS": ",".join(f"{name}:{port}" for name, port in workplace.providers.items()),
                    "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
                    "PULUMI_SKIP_UPDATE_CHECK": "true",
                },
            ),
        )

    def up(self, shown: progress.Step) -> Result:
        """Deploy; `shown` follows what the engine is busy with. Raises `DeploymentFailed`, as `destroy` does."""
        return self._run(self.stack.up, shown)

    def destroy(self, shown: progress.Step) -> Result:
        """Destroy as the CLI does: it previews first, and refuses there, before anything is touched."""
        self._run(self.stack.preview_destroy, shown)
        return self._run(self.stack.destroy, shown)

    def set(self, key: str, value: str, *, secret: bool = False) -> None:
        """Change one setting in the scratch copy of the stack's file; `key`: a path, say `project:nodes.gfs1.zone`."""
        self.stack.set_config(key, automation.ConfigValue(value, secret), path=True)

    def settings(self) -> Settings:
        """The settings that the program gets."""
        prefix = f"{PROJECT}:"
        given = self.stack.get_all_config()
        return loader.parse(
            {
                name.removeprefix(prefix): item.value
                for name, item in given.items()
                if name.startswith(prefix) or name == "aws:region"
            }
        )

    def outputs(self) -> dict[str, Any]:
        return {name: output.value for name, output in self.stack.outputs().items()}

    def resources(self) -> list[dict[str, Any]]:
        """The state's resources, as the engine keeps them."""
        deployment = self.stack.export_stack().deployment or {}
        resources: list[dict[str, Any]] = deployment.get("resources", [])
        return resources

    def _run(self, operation: Callable[..., Any], shown: progress.Step) -> Result:
        begun = time.time()
        steps: dict[str, Step] = {}
        errors: list[str] = []

        def show() -> None:
            busy = [short(step.urn) for step in list(steps.values()) if step.end is None]
            shown.detail(", ".join(busy[-3:]))

        def on_event(event: EngineEvent) -> None:
            now = time.time() - begun
            if event.resource_pre_event:
                data = event.resource_pre_event.metadata
                steps[data.urn] = Step(data.urn, data.type, str(getattr(data.op, "value", data.op)), now)
                show()
            elif event.res_outputs_event and event.res_outputs_event.metadata.urn in steps:
                steps[event.res_outputs_event.metadata.urn].end = now
                show()
            elif event.diagnostic_event and event.diagnostic_event.severity == "error":
                where = (event.diagnostic_event.urn or "").split("::")[-1]
                # a failed step's error holds its whole text as well: what it said is enough here
                output = STEP_TEXT.sub("", event.diagnostic_event.message).strip()
                errors.append(f"{where}: {output}" if where else output)

        with self._log.open("a") as log:
            try:
                operation(on_event=on_event, on_output=lambda line: print(line, file=log), color="never")
            except automation.CommandError as error:
                raise DeploymentFailed("\n".join(errors) or str(error)) from error
        result = Result(time.time() - begun, steps)
        if operation == self.stack.up:
            result.outputs = self.outputs()
        return result


def short(urn: str) -> str:
    """A resource as people call it: what kind of thing it is, and its name."""
    *_, types, name = urn.split("::")
    return f"{types.split('$')[-1].split(':')[-1]} {name}"


def _run_program() -> None:
    """Run the program as the CLI does: from its own directory, which is where it finds its modules."""
    os.chdir(REPOSITORY)
    sys.path[0] = str(REPOSITORY)
    runpy.run_path(str(REPOSITORY / "__main__.py"), run_name="__main__")
