"""Comparison of two commits' programs: one is deployed on a paper region, the other is previewed against it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from rehearsal import progress
from rehearsal.deploy.stacks import OWN_VARIABLES, SECRETS, UnknownStackError
from rehearsal.preview import paper, trees
from rehearsal.preview.program import Request, Result, Step
from rehearsal.project import PROJECT, REPOSITORY

PROGRAM = Path(__file__).with_name("program.py")
LIMIT = 300
"""Seconds that the engine may take for one program; a loaded machine takes 15."""

MACHINES = {"aws:ec2/instance:Instance", "digitalocean:index/droplet:Droplet"}
DISKS = {"aws:ebs/volume:Volume", "digitalocean:index/volume:Volume"}
DATABASES = {"aws:rds/instance:Instance", "digitalocean:index/databaseCluster:DatabaseCluster"}
CALLED_OUT = {
    **dict.fromkeys(DATABASES, "database"), **dict.fromkeys(DISKS, "disk"), **dict.fromkeys(MACHINES, "machine"),
}  # fmt: skip
"""The type tokens whose replacement or deletion is called out, most precious first, and the word for each."""


class PreviewFailed(RuntimeError):
    """The engine or a program failed; the message holds the errors, and `called_out` what the engine had found."""

    def __init__(self, message: str, called_out: list[str]) -> None:
        super().__init__(message)
        self.called_out = called_out


@dataclass(frozen=True)
class Preview:
    """The effect of a change on a stack.

    `kind`: whether the stack is in both trees, only in the new one or only in the old one; `counts`: resources by the
    engine's operation; `text`: what Pulumi prints; `seconds`: the time it took. A removed stack is not previewed.
    """

    stack: str
    base: str
    kind: Literal["changed", "new", "removed"]
    steps: list[Step] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)
    text: str = ""
    seconds: float = 0

    @property
    def changes(self) -> bool:
        return any(count for operation, count in self.counts.items() if operation not in ("same", "read"))


def preview(stack: str, base: str, engine: Path) -> Preview:
    """Preview the working tree's program for a stack that the commit `base` deployed.

    `engine`: the pulumi to run. Raises `UnknownCommitError` for a commit that the repository does not have,
    `UnknownStackError` for a stack that is in neither tree, `PreviewFailed` when the engine or a program fails.
    """
    with tempfile.TemporaryDirectory(prefix="preview-") as name:
        directory = Path(name)
        trees.export(base, directory / "base")
        return compare(stack, base, directory / "base", REPOSITORY, engine, directory)


def compare(stack: str, base: str, old: Path, new: Path, engine: Path, directory: Path) -> Preview:
    """Preview the program of the tree `new` for a stack that the program of the tree `old` deployed.

    `base`: what messages call the old tree; `directory`: a scratch directory. Returns and raises as `preview` does.
    """
    begun = time.monotonic()
    before, after = stack in trees.stacks_of(old), stack in trees.stacks_of(new)
    if not (before or after):
        raise UnknownStackError(
            f"there is no stack {stack}, neither here nor in {base}; stacks/ has: {', '.join(trees.stacks_of(new))}"
        )
    if not after:
        return Preview(stack, base, "removed")
    with served(paper.PaperRegion(trees.region_of(old if before else new, stack))) as ports:
        place = Place(stack, engine, directory, ports)
        if before:
            with progress.step(f"Deploying {stack} as of {base}, on paper"):
                deployed = place.run("up", old)
            if deployed["errors"]:
                raise PreviewFailed(f"{stack} as of {base} cannot be deployed:\n{shown(deployed['errors'])}", [])
        with progress.step(f"Previewing {stack} as it is here"):
            result = place.run("preview", new)
    if result["errors"]:
        raise PreviewFailed(f"{stack} cannot be previewed:\n{shown(result['errors'])}", called_out(result["steps"]))
    return Preview(
        stack, base, "changed" if before else "new", result["steps"], result["counts"], result["text"],
        time.monotonic() - begun,
    )  # fmt: skip


@contextmanager
def served(region: paper.PaperRegion) -> Iterator[dict[str, int]]:
    """The stand-ins on a paper region while the block runs: their ports by provider."""
    providers = paper.providers(region)
    try:
        yield {provider.name: provider.serve() for provider in providers}
    finally:
        for provider in providers:
            provider.stop()


@dataclass(frozen=True)
class Place:
    """The place that both programs run in: one state in a scratch directory, one engine, one set of stand-ins."""

    stack: str
    engine: Path
    directory: Path
    ports: dict[str, int]

    def run(self, operation: Literal["up", "preview"], tree: Path) -> Result:
        """Run the program of a tree in a process of its own. Raises `PreviewFailed` when that process ends early."""
        work = self.directory / operation
        trees.write_project(tree, self.stack, work)
        state = self.directory / "state"
        state.mkdir(exist_ok=True)
        request: Request = {
            "operation": operation, "project": PROJECT, "stack": self.stack, "tree": str(tree), "work": str(work),
            "home": str(self.directory / "pulumi"), "plan": str(work / "plan.json"),
            "result": str(work / "result.json"), "secrets": [*SECRETS],
            "environment": {
                "PULUMI_BACKEND_URL": state.as_uri(),
                "PULUMI_CONFIG_PASSPHRASE": "preview",
                "PULUMI_DEBUG_PROVIDERS": ",".join(f"{name}:{port}" for name, port in self.ports.items()),
                "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
                "PULUMI_SKIP_UPDATE_CHECK": "true",
                # the state is written once, at the end: an `up` of 100 resources takes 3 s instead of 13 s
                "PULUMI_EXPERIMENTAL": "true",
                "PULUMI_SKIP_CHECKPOINTS": "true",
            },
        }  # fmt: skip
        (work / "request.json").write_text(json.dumps(request))
        environment = {
            **os.environ,
            **OWN_VARIABLES,
            "PATH": f"{self.engine.parent}{os.pathsep}{os.environ['PATH']}",
            "HOME": str(self.directory),
        }
        words = [sys.executable, "-I", str(PROGRAM), str(work / "request.json")]
        with (work / "log").open("w+") as log:
            # a session of its own: the engine and its program end together when this is interrupted
            with subprocess.Popen(
                words, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment, start_new_session=True
            ) as process:
                try:
                    process.wait(LIMIT)
                except BaseException as error:
                    os.killpg(process.pid, signal.SIGKILL)
                    if isinstance(error, subprocess.TimeoutExpired):
                        raise PreviewFailed(f"{self.stack}: the engine has not ended after {LIMIT} s", []) from error
                    raise
            log.seek(0)
            if process.returncode:
                raise PreviewFailed(f"{self.stack}: the engine did not start:\n{log.read()[-2000:]}", [])
        result: Result = json.loads((work / "result.json").read_text())
        return result


def called_out(steps: list[Step]) -> list[str]:
    """A sentence for each database, disk and machine that is replaced or deleted, in this order."""
    words = list(CALLED_OUT)
    found = [step for step in steps if step["op"] in ("replace", "delete") and step["type"] in CALLED_OUT]
    return [sentence(step) for step in sorted(found, key=lambda step: (words.index(step["type"]), step["urn"]))]


def sentence(step: Step) -> str:
    what = f"The {CALLED_OUT[step['type']]} {step['urn'].split('::')[-1]} ({step['type']})"
    if step["op"] == "replace":
        return f"{what} is REPLACED, because of {', '.join(step['replaced_for']) or 'its dependencies'}."
    if step["newState"]["retainOnDelete"]:
        return f"{what} is REMOVED from the stack; the cloud keeps it."
    return f"{what} is DELETED."


def shown(errors: list[str]) -> str:
    """Each error once, without those of the engine that only repeat another or say that the operation failed."""
    once = dict.fromkeys(errors)
    own = [error for error in once if not any(other != error and other in error for other in once)]
    return "\n".join([error for error in own if error not in ("preview failed", "update failed")] or once)
