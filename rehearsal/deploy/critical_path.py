"""What an `up` waited for: the graph that the engine walked, with its times, and the longest way through it."""

from __future__ import annotations

from typing import Any

from rehearsal.deploy.deployment import Result, short
from rehearsal.report.model import GraphNode, PathStep


def graph(result: Result, resources: list[dict[str, Any]]) -> list[GraphNode]:
    """Every resource that the engine made (components and providers are only names), oldest first."""
    custom = {r["urn"]: r for r in resources if r.get("custom") and not r["type"].startswith("pulumi:")}
    made = {
        urn: step
        for urn, step in result.steps.items()
        if urn in custom and step.end is not None and step.operation != "same"
    }
    return sorted(
        (
            GraphNode(
                resource=short(urn),
                type=step.type,
                start=step.start,
                end=step.end or step.start,
                waits_for=sorted(short(other) for other in waited_for(custom[urn]) if other in made),
            )
            for urn, step in made.items()
        ),
        key=lambda node: (node.start, node.resource),
    )


def waited_for(resource: dict[str, Any]) -> set[str]:
    by_property = (urn for urns in resource.get("propertyDependencies", {}).values() for urn in urns)
    return {*resource.get("dependencies", []), *by_property}


def critical_path(nodes: list[GraphNode]) -> list[PathStep]:
    """The chain that ends last, first step first; each step's seconds are those that it added to the whole."""
    by_name = {node.resource: node for node in nodes}
    chain: list[PathStep] = []
    node = max(nodes, key=lambda node: node.end, default=None)
    while node:
        before = max((by_name[name] for name in node.waits_for), key=lambda other: other.end, default=None)
        chain.append(PathStep(resource=node.resource, seconds=node.end - (before.end if before else 0)))
        node = before
    return chain[::-1]
