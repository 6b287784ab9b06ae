"""The graph of resources that an `up` created, with their times, and its critical path."""

from __future__ import annotations

from typing import Any

from rehearsal.deploy.deployment import OperationResult, short_name
from rehearsal.report.model import GraphNode, PathStep


def graph(result: OperationResult, resources: list[dict[str, Any]]) -> list[GraphNode]:
    """Every resource that the engine created or changed, by start. Components and providers are left out."""
    custom = {r["urn"]: r for r in resources if r.get("custom") and not r["type"].startswith("pulumi:")}
    changed = {
        urn: step
        for urn, step in result.steps.items()
        if urn in custom and step.end is not None and step.operation != "same"
    }
    return sorted(
        (
            GraphNode(
                resource=short_name(urn),
                type=step.type,
                start=step.start,
                end=step.end or step.start,
                waits_for=sorted(short_name(other) for other in dependencies(custom[urn]) if other in changed),
            )
            for urn, step in changed.items()
        ),
        key=lambda node: (node.start, node.resource),
    )


def dependencies(resource: dict[str, Any]) -> set[str]:
    """The URNs of all resources that a resource of the state depends on, by `depends_on` or by an input."""
    by_property = (urn for urns in resource.get("propertyDependencies", {}).values() for urn in urns)
    return {*resource.get("dependencies", []), *by_property}


def critical_path(nodes: list[GraphNode]) -> list[PathStep]:
    """The chain of dependencies that ends last, in order; each step has the seconds that it added to the whole."""
    by_name = {node.resource: node for node in nodes}
    chain: list[PathStep] = []
    node = max(nodes, key=lambda node: node.end, default=None)
    while node:
        before = max((by_name[name] for name in node.waits_for), key=lambda other: other.end, default=None)
        chain.append(PathStep(resource=node.resource, seconds=node.end - (before.end if before else 0)))
        node = before
    return chain[::-1]
