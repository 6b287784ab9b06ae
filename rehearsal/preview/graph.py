"""The change of a stack's graph as a Mermaid picture in Markdown, drawn from a preview's steps.

Usage: pulumi preview --json --show-sames | python -m rehearsal.preview.graph STACK

A component is one box, whatever number of resources it has: this keeps the picture of a whole site small enough to
read.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

DONE = {"create": "created", "update": "updated", "replace": "replaced", "delete": "deleted"}
QUIET = {"same", "read", "refresh"}
PARTS_OF_A_REPLACEMENT = {"create-replacement", "delete-replaced"}
"""Steps that the engine reports beside a replacement's own, and that `pulumi preview --json` leaves out."""
COLOURS = {
    "create": "fill:#d7f0dd,stroke:#1a7f37,color:#0b3d1a",
    "change": "fill:#fff1cc,stroke:#9a6700,color:#4d3300",
    "delete": "fill:#ffdcd9,stroke:#b3261e,color:#5c100b",
}
"""Styles of boxes; each sets its own background, so that it is legible on a light page and on a dark one."""


def comment(stack: str, steps: Iterable[Mapping[str, Any]]) -> str:
    """The comment on a pull request; its first line is the same for every change to the stack.

    `steps`: the steps that `pulumi preview --json --show-sames` prints.
    """
    chart = mermaid(steps)
    if not chart:
        return f"#### The graph of `{stack}`\n\nNothing changes.\n"
    return f"""#### The graph of `{stack}`

```mermaid
{chart}```

An arrow leads from a component to the one that waits for it.
"""


def mermaid(steps: Iterable[Mapping[str, Any]]) -> str:
    """A flowchart of the components that change, with an arrow where one waits for another; empty without a change."""
    changes: dict[str, Counter[str]] = {}
    waits: dict[str, set[str]] = {}
    drawn = [step for step in steps if step["op"] not in PARTS_OF_A_REPLACEMENT and not of_engine(step["urn"])]
    states = [step.get("newState") or step["oldState"] for step in drawn]
    component = {state["urn"]: owner(state) for state in states}
    for step, state in zip(drawn, states, strict=True):
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


def of_engine(urn: str) -> bool:
    """Whether the engine makes a resource for itself: the stack, or a provider."""
    return urn.split("::")[2].rsplit("$", maxsplit=1)[-1].startswith("pulumi:")


def owner(state: Mapping[str, Any]) -> str:
    """The URN of the component that a resource is a part of, or its own URN when it is part of none."""
    parent: str = state.get("parent", "")
    alone = not state["custom"] or not parent or "::pulumi:pulumi:Stack::" in parent
    urn: str = state["urn"]
    return urn if alone else parent


def needed(state: Mapping[str, Any]) -> set[str]:
    """The URNs of the resources that a resource depends on."""
    by_property = (urn for urns in (state.get("propertyDependencies") or {}).values() for urn in urns or ())
    return {*(state.get("dependencies") or ()), *by_property}


def reached(waits: dict[str, set[str]], urn: str) -> set[str]:
    """Every component that a component waits for, directly or through another."""
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
    sys.stdout.write(comment(sys.argv[1], json.load(sys.stdin)["steps"]))
