"""Run of one commit's program through the engine, in a process of its own: modules of two commits must not mix.

Usage: python -I program.py REQUEST.json

REQUEST.json is a `Request`; the `Result` goes to the file that the request names. The script imports no module of this
project, because `components` and `rehearsal` of another commit are on its module path.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import runpy
import sys
from pathlib import Path
from typing import Any, Literal, TypedDict

from pulumi import automation
from pulumi.automation import EngineEvent


class Request(TypedDict):
    """An operation of the engine and its inputs. Every path is absolute."""

    operation: Literal["up", "preview"]
    project: str
    stack: str
    tree: str
    """The commit's files; its `__main__.py` runs there."""
    work: str
    """A directory with Pulumi.yaml and the stack's settings, which the engine may write to."""
    home: str
    """PULUMI_HOME."""
    environment: dict[str, str]
    secrets: list[str]
    """Full keys of the settings to encrypt: the file has placeholders for them in plain text."""
    plan: str
    """The file that a preview writes its plan to; the plan holds the resources' dependencies."""
    result: str


class State(TypedDict):
    """A resource, with the keys of the engine's own state."""

    urn: str
    custom: bool
    parent: str
    dependencies: list[str]
    propertyDependencies: dict[str, list[str]]
    protect: bool
    retainOnDelete: bool


class Step(TypedDict):
    """The engine's operation on one resource."""

    op: str
    urn: str
    type: str
    newState: State
    """The resource as the program asks for it, or as it was before a deletion."""
    replaced_for: list[str]
    """The inputs whose change replaces the resource."""
    changed: list[str]
    """The inputs that changed."""


class Result(TypedDict):
    steps: list[Step]
    counts: dict[str, int]
    """Resources by operation, as Pulumi counts them in its summary."""
    errors: list[str]
    """Errors of resources and of the program; empty when the operation succeeded."""
    text: str
    """The output of `pulumi preview`; empty after an `up`."""


def run(request: Request) -> Result:
    """Run the request's operation. The result's `errors` hold what the engine or the program reported."""
    result: Result = {"steps": [], "counts": {}, "errors": [], "text": ""}
    lines: list[str] = []

    def on_event(event: EngineEvent) -> None:
        if event.resource_pre_event:
            result["steps"].append(step_of(event.resource_pre_event.metadata))
        elif event.diagnostic_event and event.diagnostic_event.severity == "error":
            where = (event.diagnostic_event.urn or "").split("::")[-1]
            message = event.diagnostic_event.message.strip()
            result["errors"].append(f"{where}: {message}" if where else message)

    stack = automation.create_or_select_stack(
        request["stack"],
        project_name=request["project"],
        program=lambda: run_program(Path(request["tree"])),
        opts=automation.LocalWorkspaceOptions(
            work_dir=request["work"], pulumi_home=request["home"], env_vars=request["environment"]
        ),
    )
    for key, value in stack.get_all_config().items():
        if key in request["secrets"] and not value.secret:
            stack.set_config(key, automation.ConfigValue(value.value, secret=True))
    try:
        if request["operation"] == "up":
            stack.up(on_event=on_event, color="never")
        else:
            previewed = stack.preview(
                on_event=on_event, on_output=lines.append, color="never", diff=True, suppress_outputs=True,
                suppress_progress=True, plan=request["plan"],
            )  # fmt: skip
            result["counts"] = {str(getattr(op, "value", op)): n for op, n in previewed.change_summary.items()}
    except automation.CommandError as error:
        result["errors"] = result["errors"] or [str(error)]
    result["text"] = "\n".join(lines)
    if request["operation"] == "preview":
        add_dependencies(result["steps"], Path(request["plan"]), stack)
    return result


def step_of(metadata: Any) -> Step:
    state = metadata.new or metadata.old
    return {
        "op": str(getattr(metadata.op, "value", metadata.op)),
        "urn": metadata.urn,
        "type": metadata.type,
        "newState": {
            "urn": metadata.urn, "custom": bool(state.custom), "parent": state.parent or "", "dependencies": [],
            "propertyDependencies": {}, "protect": bool(state.protect), "retainOnDelete": bool(state.retain_on_delete),
        },
        "replaced_for": list(metadata.keys or ()),
        "changed": list(metadata.diffs or ()),
    }  # fmt: skip


def add_dependencies(steps: list[Step], plan: Path, stack: automation.Stack) -> None:
    """Add the dependencies, which the engine's events leave out: from the plan, for deleted resources from the state.

    A preview that failed has no plan.
    """
    plans = json.loads(plan.read_text())["resourcePlans"] if plan.exists() else {}
    known = {urn: resource.get("goal") or {} for urn, resource in plans.items()}
    if any(step["op"] == "delete" for step in steps):
        resources = (stack.export_stack().deployment or {}).get("resources", [])
        known |= {resource["urn"]: resource for resource in resources if not known.get(resource["urn"])}
    for step in steps:
        goal = known.get(step["urn"], {})
        step["newState"]["dependencies"] = goal.get("dependencies") or []
        step["newState"]["propertyDependencies"] = goal.get("propertyDependencies") or {}


def run_program(tree: Path) -> None:
    """Run the program as the CLI does: from its own directory, where it finds its modules and no other commit's."""
    os.chdir(tree)
    sys.meta_path[:] = [finder for finder in sys.meta_path if not of_editable_installation(finder)]
    sys.path.insert(0, str(tree))
    # on paper no node is connected to: it does not matter which address this machine has, nor what the nodes lack
    with contextlib.suppress(ModuleNotFoundError):
        importlib.import_module("components.cloud.operator").source_address = lambda: None  # type: ignore[attr-defined]
    with contextlib.suppress(ModuleNotFoundError):
        importlib.import_module("components.roll.lacking").warn_after = lambda nodes, steps: None  # type: ignore[attr-defined]
    runpy.run_path(str(tree / "__main__.py"), run_name="__main__")


def of_editable_installation(finder: object) -> bool:
    """Whether a module finder belongs to an editable installation, which maps `components` to this commit's."""
    return getattr(finder, "__name__", "") == "_EditableFinder"


def main() -> None:
    request: Request = json.loads(Path(sys.argv[1]).read_text())
    Path(request["result"]).write_text(json.dumps(run(request)))


if __name__ == "__main__":
    main()
