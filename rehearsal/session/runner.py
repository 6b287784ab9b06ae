"""The part of a rehearsal that runs as the operator, inside: deploy, break, take down; the result goes to a file.

Usage: python -m rehearsal.session.runner DIRECTORY ENGINE STACK up|drill|drill-and-destroy
"""

from __future__ import annotations

import shutil
import sys
from importlib import metadata
from pathlib import Path
from typing import Literal, cast

from rehearsal import progress
from rehearsal.deploy import critical_path
from rehearsal.deploy.deployment import Deployment, DeploymentFailed, Result, Workplace, short
from rehearsal.deploy.stacks import stack_settings
from rehearsal.drills.factory import drill_of
from rehearsal.drills.migration_probe import MigrationProbe
from rehearsal.project import PROJECT
from rehearsal.region.control import RegionControl
from rehearsal.region.control_socket import connect
from rehearsal.region.ready import Ready
from rehearsal.report.model import Check, Report
from rehearsal.system.shell import ToolError

Mode = Literal["up", "drill", "drill-and-destroy"]
RESULT = "result.json"


def rehearse(directory: Path, engine: Path, stack: str, mode: Mode) -> Report:
    """Run the stack and, if asked to, its drill. Raises `DeploymentFailed` when the engine does."""
    plugins = real_command_plugin()
    providers = {
        name: port
        for name, port in Ready.read(directory).providers.items()
        if not (name == "command" and plugins is not None)
    }
    deployment = Deployment(stack, Workplace(directory, engine, providers, plugins or {}))
    control = connect(directory)
    booted = boot_existing(stack, deployment, control)
    settings = deployment.settings()
    kind = drill_of(settings)
    if kind is None and mode != "up":
        raise DeploymentFailed(f"there is no drill for web: {settings.web} with topology: {settings.topology}")
    before = MigrationProbe(kind.before(settings) if kind else [])
    with progress.step(f"pulumi up, stack {stack}") as shown, before:
        first = deployment.up(shown)
    with progress.step("pulumi up again, which has to change nothing") as shown:
        second = deployment.up(shown)
    resources = deployment.resources()
    nodes = critical_path.graph(first, resources)
    path = critical_path.critical_path(nodes)
    used = {r["type"] for r in resources if r.get("custom") and r["type"].split(":")[0] in providers}
    report = Report(
        stack=stack,
        stand_ins=sorted(used) + booted,
        up_seconds=first.seconds,
        critical_path=path,
        critical_path_seconds=sum(step.seconds for step in path),
        second_up_changes=second.changes,
        graph=nodes,
        faults=[*before.found],
        checks=[*before.checks, unchanged(second)],
    )
    print_outputs(first)
    if settings.site and settings.site.domain:
        control.point_domain(settings.site.domain)
    if kind and mode != "up":
        drill = kind(deployment, control)
        drill.run()
        if mode == "drill-and-destroy":
            drill.way_down()
        report.faults += drill.found
        report.checks += drill.checks
    return report


def boot_existing(stack: str, deployment: Deployment, control: RegionControl) -> list[str]:
    """Boot the machines that a stack of `cloud: existing` was written for, and put into its settings what their owner
    knows: the key that logs in, and their host keys. Returns what was stood in for.
    """
    settings = stack_settings(stack)
    if settings.get(f"{PROJECT}:cloud") != "existing":
        return []
    if not control.machines():
        with progress.step("Booting the machines that exist already"):
            try:
                keys = control.boot_existing(settings)
            except (ToolError, ValueError) as error:
                raise DeploymentFailed(f"the existing machines cannot be booted: {error}") from error
        deployment.set(f"{PROJECT}:ssh_private_key", keys.private_key, secret=True)
        for node, key in keys.host_keys.items():
            deployment.set(f"{PROJECT}:nodes.{node}.host_key", key)
    return ["the existing machines, booted here, with SSH keys made for them"]


def unchanged(second: Result) -> Check:
    changed = [f"{short(step.urn)} ({step.operation})" for step in second.steps.values() if step.operation != "same"]
    return Check(
        name="a second up changes nothing",
        held=not second.changes,
        measured=", ".join(changed) or "no change",
        limit="no change",
    )


def print_outputs(result: Result) -> None:
    for name, node in sorted(result.outputs["nodes"].items()):
        progress.console.print(f"  {name}: {node['ssh']}", highlight=False, soft_wrap=True)
    progress.console.print(f"  site: {result.outputs['url']}", highlight=False, soft_wrap=True)


def real_command_plugin() -> dict[str, Path] | None:
    """The operator's own pulumi-command, which then does the work; None when there is none.

    One on PATH the engine finds by itself; one in the plugin cache is linked into the rehearsal's.
    """
    if shutil.which("pulumi-resource-command"):
        return {}
    name = f"resource-command-v{metadata.version('pulumi-command')}"
    cached = Path.home() / ".pulumi" / "plugins" / name
    return {name: cached} if cached.is_dir() else None


def main() -> None:
    directory, engine, stack, mode = (Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3], cast("Mode", sys.argv[4]))
    try:
        report = rehearse(directory, engine, stack, mode)
    except DeploymentFailed as error:
        progress.console.print(str(error), style="red", highlight=False, markup=False, soft_wrap=True)
        sys.exit(1)
    (directory / RESULT).write_text(report.model_dump_json())


if __name__ == "__main__":
    main()
