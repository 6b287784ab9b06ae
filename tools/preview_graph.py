"""What a change does to a stack's graph, as a Mermaid picture in Markdown, from what Pulumi says that it would do.

Usage: pulumi preview --json --show-sames | python tools/preview_graph.py STACK

A component stands for all that it is made of, which keeps the picture of a whole site small enough to read.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from typing import Any

DONE = {"create": "created", "update": "updated", "replace": "replaced", "delete": "deleted"}
QUIET = {"same", "read", "refresh"}
COLOURS = {
    "create": "fill:#d7f0dd,stroke:#1a7f37,color:#0b3d1a",
    "change": "fill:#fff1cc,stroke:#9a6700,color:#4d3300",
    "delete": "fill:#ffdcd9,stroke:#b3261e,color:#5c100b",
}
"""Legible on a light page and on a dark one: each brings its own background."""


def comment(stack: str, preview: dict[str, Any]) -> str:
    """The comment on a pull request; its first line is the same for every change to the stack.

    `preview` is what `pulumi preview --json --show-sames` prints.
    """
    chart = mermaid(preview)
    if not chart:
        return f"#### The graph of `{stack}`\n\nNothing changes.\n"
    return f"""#### The graph of `{stack}`

```mermaid
{chart}```

An arrow leads from what is there first to what waits for it.
"""


def mermaid(preview: dict[str, Any]) -> str:
    """A flowchart of the components that change, and of what waits for what among them; empty when nothing changes."""
    changes: dict[str, Counter[str]] = {}
    waits: dict[str, set[str]] = {}
    steps = [step for step in preview["steps"] if "::pulumi:pulumi:Stack::" not in step["urn"]]
    states = [step.get("newState") or step["oldState"] for step in steps]
    component = {state["urn"]: owner(state) for state in states}
    for step, state in zip(steps, states, strict=True):
        this = component[step["urn"]]
        if step["op"] not in QUIET and state["custom"]:
            changes.setdefault(this, Counter())[step["op"]] += 1
        needs = {component[urn] for urn in needed(state) if urn in component}
        waits.setdefault(this, set()).update(needs - {this})
    if not changes:
        return ""
    number = {urn: f"n{count}" for count, urn in enumerate(sorted(changes, key=label))}
    lines = ["flowchart LR", *(f"classDef {name} {style}" for name, style in COLOURS.items())]
    for urn, name in number.items():
        counts = ", ".join(
            f"{count} {DONE.get(operation, operation)}" for operation, count in sorted(changes[urn].items())
        )
        lines.append(f'{name}["{label(urn)}<br>{counts}"]:::{colour(changes[urn])}')
    for urn, name in number.items():
        before = reached(waits, urn) & changes.keys() - {urn}
        direct = before - {further for other in before for further in reached(waits, other) - {other}}
        lines += [f"{number[other]} --> {name}" for other in sorted(direct, key=label)]
    return "\n  ".join(lines) + "\n"


def owner(state: dict[str, Any]) -> str:
    """The URN of the component that a resource is a part of; its own, when it stands alone."""
    parent: str = state.get("parent", "")
    alone = not state["custom"] or not parent or "::pulumi:pulumi:Stack::" in parent
    urn: str = state["urn"]
    return urn if alone else parent


def needed(state: dict[str, Any]) -> set[str]:
    by_property = (urn for urns in (state.get("propertyDependencies") or {}).values() for urn in urns or ())
    return {*(state.get("dependencies") or ()), *by_property}


def reached(waits: dict[str, set[str]], urn: str) -> set[str]:
    """Everything that has to be there before a component is made, directly or not."""
    found: set[str] = set()
    ahead = {urn}
    while ahead:
        ahead = {need for each in ahead for need in waits.get(each, ())} - found
        found |= ahead
    return found


def label(urn: str) -> str:
    """`Brick gfs1` for urn:pulumi:stack::project::ha-wordpress:gluster:Brick::gfs1."""
    *_, types, name = urn.split("::")
    return f"{types.split(':')[-1]} {name}".replace('"', "#quot;")


def colour(operations: Counter[str]) -> str:
    (only,) = operations if len(operations) == 1 else ("change",)
    return only if only in COLOURS else "change"


if __name__ == "__main__":
    sys.stdout.write(comment(sys.argv[1], json.load(sys.stdin)))
