"""The part of a rehearsal inside its namespaces, in the operator's place: deploy, drill, destroy, write the report.

Usage: python -m rehearsal.session.runner DIRECTORY ENGINE STACK up|drill|drill-and-destroy [PART...]
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path
from typing import Literal, cast

from rehearsal import progress
from rehearsal.deploy import critical_path
from rehearsal.deploy.deployment import Deployment, DeploymentFailed, EngineSetup, OperationResult
from rehearsal.deploy.stacks import acme_directory, certified_name, own_settings, stack_settings
from rehearsal.drills.acme import acme_stand_in, certificates_check
from rehearsal.drills.base import Drill, UnknownPartError
from rehearsal.drills.factory import drill_of
from rehearsal.drills.migration_probe import MigrationProbe
from rehearsal.project import PROJECT
from rehearsal.region import ca
from rehearsal.region.control import RegionControl
from rehearsal.region.control_socket import connect
from rehearsal.region.ready import Ready
from rehearsal.report.model import Check, Report
from rehearsal.system.shell import ToolError

Mode = Literal["up", "drill", "drill-and-destroy"]
"""The end of a rehearsal: after `up`, after the stack's drill, or after the drill and the destroy of the stack."""
RESULT = "result.json"
"""The report's file in the rehearsal's directory."""


def rehearse(directory: Path, engine: Path, stack: str, mode: Mode, only: Sequence[str]) -> Report:
    """Deploy the stack twice and, as far as `mode` says, run its drill, or the parts `only` of it, and destroy it.

    Raises `DeploymentFailed` when an operation of the engine fails, or, before a machine boots, when the stack has no
    drill or its drill no part of a name in `only`.
    """
    plugins = real_command_plugin()
    providers = {
        name: port
        for name, port in Ready.read(directory).providers.items()
        if not (name == "command" and plugins is not None)
    }
    deployment = Deployment(stack, EngineSetup(directory, engine, providers, plugins or {}))
    control = connect(directory)
    certified = set_certificate(stack, deployment, control)
    drill = drill_for(stack, deployment, control, mode, only)
    certified += start_acme_server(stack, control)
    booted = boot_existing(stack, deployment, control)
    booted += own_certificate(stack, control)
    migration = MigrationProbe(drill.migration_visitors(drill.site.settings) if drill else [])
    with progress.step(f"pulumi up, stack {stack}") as shown, migration:
        first = deployment.up(shown)
    with progress.step("pulumi up again, which must change nothing") as shown:
        second = deployment.up(shown)
    resources = deployment.resources()
    nodes = critical_path.graph(first, resources)
    path = critical_path.critical_path(nodes)
    used = {r["type"] for r in resources if r.get("custom") and r["type"].split(":")[0] in providers}
    report = Report(
        stack=stack,
        stand_ins=[*sorted(used), *booted, *certified, *operator_values(stack)],
        up_seconds=first.seconds,
        critical_path=path,
        critical_path_seconds=sum(step.seconds for step in path),
        second_up_changes=len(second.changes),
        graph=nodes,
        faults=[*migration.faults],
        checks=[*migration.checks, second_up_check(second)],
    )
    print_outputs(first)
    for record in first.outputs.get("dns_records", []):
        control.point_domain(record["name"], record["value"])
    settings = deployment.settings()
    if settings.tls and settings.tls.acme:
        assert settings.domain
        report.checks.append(certificates_check(control, settings.node_roles.balancers, settings.domain))
    if drill and mode != "up":
        drill.run(only)
        if mode == "drill-and-destroy":
            drill.destroy()
        report.stand_ins += drill.stand_ins
        report.faults += drill.faults
        report.checks += drill.checks
    return report


def drill_for(
    stack: str, deployment: Deployment, control: RegionControl, mode: Mode, only: Sequence[str]
) -> Drill | None:
    """The stack's drill, which has all parts of `only`; None for a stack without a drill, with `mode` `up` only.

    Raises `DeploymentFailed` otherwise.
    """
    if stack_settings(stack).get(f"{PROJECT}:cloud") == "existing" and not control.machines():
        # `boot_existing` sets the machines' own, without which the settings are not valid
        deployment.set(f"{PROJECT}:ssh_private_key", "-----BEGIN OPENSSH PRIVATE KEY-----", secret=True)
    settings = deployment.settings()
    drill_type = drill_of(settings)
    if drill_type is None and mode != "up":
        raise DeploymentFailed(
            f"{stack}: no drill exists for web: {settings.web} with topology: {settings.topology}; "
            f"add one to rehearsal/drills/factory.py, or use `rehearse up {stack}`"
        )
    drill = drill_type(deployment, control) if drill_type else None
    try:
        if drill:
            drill.named_parts(only)
    except UnknownPartError as error:
        raise DeploymentFailed(f"{stack}: {error}") from error
    return drill


def set_certificate(stack: str, deployment: Deployment, control: RegionControl) -> list[str]:
    """Set a certificate and its key for a stack with `tls`, in the place of those that its operator has.

    Returns a line for the report's list of stand-ins; nothing for a stack without `tls`.
    """
    name = certified_name(stack_settings(stack))
    if name is None:
        return []
    if not control.machines():
        issued = control.issue(name)
        deployment.set(f"{PROJECT}:tls.certificate", issued.certificate)
        deployment.set(f"{PROJECT}:tls_private_key", issued.key, secret=True)
    return [f"the certificate of {name}, issued by the rehearsal's authority"]


def start_acme_server(stack: str, control: RegionControl) -> list[str]:
    """Start an ACME server in the place of the authority that the stack's own balancers ask.

    Returns a line for the report's list of stand-ins; nothing for a stack whose balancers ask none.
    """
    directory = acme_directory(stack_settings(stack))
    if directory is None:
        return []
    if not control.machines():
        control.start_acme_server(directory)
    return [acme_stand_in(directory)]


def boot_existing(stack: str, deployment: Deployment, control: RegionControl) -> list[str]:
    """Boot the machines of a stack with `cloud: existing`, and set what their owner knows: the SSH key and host keys.

    Returns a line for the report's list of stand-ins; nothing for a stack of a cloud. Raises `DeploymentFailed` when
    the machines cannot be booted.
    """
    settings = stack_settings(stack)
    if settings.get(f"{PROJECT}:cloud") != "existing":
        return []
    if not control.machines():
        with progress.step("Booting the existing machines"):
            try:
                keys = control.boot_existing(settings)
            except (ToolError, ValueError) as error:
                raise DeploymentFailed(f"the existing machines of {stack} did not boot: {error}") from error
        deployment.set(f"{PROJECT}:ssh_private_key", keys.private_key, secret=True)
        for node, key in keys.host_keys.items():
            deployment.set(f"{PROJECT}:nodes.{node}.host_key", key)
    return ["the existing machines, booted here, with SSH keys made for them"]


def own_certificate(stack: str, control: RegionControl) -> list[str]:
    """Add the certificate that the operator has in the cloud already; returns a line for the list of stand-ins."""
    settings = stack_settings(stack)
    balancer = settings.get(f"{PROJECT}:balancer", {})
    key = balancer.get("certificate_arn") or balancer.get("certificate_name")
    if not key:
        return []
    domain = (settings.get(f"{PROJECT}:site") or settings[f"{PROJECT}:tls"])["domain"]
    control.add_certificate(key, domain)
    return [f"the operator's own certificate {key}, made here for {domain}"]


def operator_values(stack: str) -> list[str]:
    """A line for the report's list of stand-ins; nothing for a stack whose file has no placeholder."""
    settings = own_settings(stack)
    return [f"the operator's own settings: {', '.join(settings)}"] if settings else []


def second_up_check(second: OperationResult) -> Check:
    """Check that a second `up` changed no resource."""
    changes = second.changes
    return Check(
        name="resources changed by a second up", passed=not changes, measured=", ".join(changes) or "0", limit="0"
    )


def print_outputs(result: OperationResult) -> None:
    """Print the nodes' SSH commands and the site's URL."""
    for name, node in sorted(result.outputs["nodes"].items()):
        progress.console.print(f"  {name}: {node['ssh']}", highlight=False, soft_wrap=True)
    progress.console.print(f"  site: {result.outputs['url']}", highlight=False, soft_wrap=True)


def real_command_plugin() -> dict[str, Path] | None:
    """The operator's own pulumi-command plugin, which replaces our stand-in; None when this host has none.

    The engine finds a plugin on PATH by itself, so the result is empty. A plugin in the operator's cache is returned by
    name, to be linked into the rehearsal's own cache.
    """
    if shutil.which("pulumi-resource-command"):
        return {}
    name = f"resource-command-v{metadata.version('pulumi-command')}"
    cached = Path.home() / ".pulumi" / "plugins" / name
    return {name: cached} if cached.is_dir() else None


def main() -> None:
    directory, engine, stack, mode = (Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3], cast("Mode", sys.argv[4]))
    only = sys.argv[5:]
    # this process and all that it starts trust the region's authority, as a visitor's system trusts the public ones
    os.environ["SSL_CERT_FILE"] = str(directory / ca.FILE)
    try:
        report = rehearse(directory, engine, stack, mode, only)
    except DeploymentFailed as error:
        progress.console.print(str(error), style="red", highlight=False, markup=False, soft_wrap=True)
        sys.exit(1)
    (directory / RESULT).write_text(report.model_dump_json())


if __name__ == "__main__":
    main()
