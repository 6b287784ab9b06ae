"""The picture of a change: the components that change, and which of them waits for which. The previews are made up."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterable
from typing import Any

import pytest

STACK = "urn:pulumi:s::p::pulumi:pulumi:Stack::p-s"

Step = dict[str, Any]


def urn(kind: str, name: str) -> str:
    return f"urn:pulumi:s::p::ha-wordpress:gluster:{kind}::{name}"


def component(operation: str, kind: str, name: str, depends_on: Iterable[str] = ()) -> list[Step]:
    """The steps of a component with one command, as `pulumi preview --json --show-sames` has them."""
    this = urn(kind, name)
    command = f"urn:pulumi:s::p::ha-wordpress:gluster:{kind}$command:remote:Command::{name}"
    state = "oldState" if operation == "delete" else "newState"
    return [
        {"op": "same", "urn": this, state: {"urn": this, "custom": False, "parent": STACK}},
        {
            "op": operation,
            "urn": command,
            state: {
                "urn": command,
                "custom": True,
                "parent": this,
                "dependencies": list(depends_on),
                "propertyDependencies": {"connection": None},
            },
        },
    ]


def command(kind: str, name: str) -> str:
    return f"urn:pulumi:s::p::ha-wordpress:gluster:{kind}$command:remote:Command::{name}"


def drawn(*components: list[Step]) -> str:
    """The script's output for a preview of these components."""
    root = {"op": "same", "urn": STACK, "newState": {"urn": STACK, "custom": False}}
    preview = {"steps": [root, *(step for steps in components for step in steps)]}
    done = subprocess.run(
        [sys.executable, "-m", "rehearsal.preview.graph", "aws-wordpress"],
        input=json.dumps(preview), capture_output=True, text=True, check=True,
    )  # fmt: skip
    return done.stdout


NODE = command("Node", "gfs4")
BRICK = command("Brick", "gfs4")
PEERS = command("Peers", "peers")


def test_an_arrow_leads_to_what_waits_and_none_repeats_another() -> None:
    text = drawn(
        component("create", "Node", "gfs4"),
        component("create", "Brick", "gfs4", [NODE]),
        component("update", "Volume", "wp", [NODE, BRICK]),
    )
    assert 'n0["Brick gfs4<br>1 created"]:::create' in text
    assert 'n1["Node gfs4<br>1 created"]:::create' in text
    assert 'n2["Volume wp<br>1 updated"]:::change' in text
    assert [line.strip() for line in text.splitlines() if "-->" in line] == ["n1 --> n0", "n0 --> n2"]


def test_a_component_without_a_change_is_not_drawn_and_still_connects_others() -> None:
    text = drawn(
        component("replace", "Node", "gfs4"),
        component("same", "Peers", "peers", [NODE]),
        component("update", "Volume", "wp", [PEERS]),
    )
    assert "Peers" not in text
    assert "n0 --> n1" in text
    assert "1 replaced" in text


def test_a_deleted_component_is_drawn_with_its_old_state() -> None:
    assert 'n0["Brick gfs4<br>1 deleted"]:::delete' in drawn(component("delete", "Brick", "gfs4"))


def test_a_dependency_by_property_counts() -> None:
    brick = component("create", "Brick", "gfs4")
    brick[1]["newState"]["propertyDependencies"]["triggers"] = [NODE]
    assert "n1 --> n0" in drawn(component("create", "Node", "gfs4"), brick)


@pytest.mark.parametrize("operation", ["same", "read"])
def test_without_a_change_there_is_a_sentence_and_no_picture(operation: str) -> None:
    assert drawn(component(operation, "Brick", "gfs4")) == "#### The graph of `aws-wordpress`\n\nNothing changes.\n"


def test_the_engine_s_own_resources_and_the_parts_of_a_replacement_are_not_drawn() -> None:
    provider = "urn:pulumi:s::p::pulumi:providers:aws::default_7_51_1"
    node = component("replace", "Node", "gfs4")
    parts = [{**node[1], "op": operation} for operation in ("create-replacement", "delete-replaced")]
    text = drawn(node, parts, [{"op": "create", "urn": provider, "newState": {"urn": provider, "custom": True}}])
    assert "default_7_51_1" not in text
    assert 'n0["Node gfs4<br>1 replaced"]' in text


def test_the_first_line_is_the_same_for_every_change() -> None:
    changed = drawn(component("create", "Brick", "gfs4"))
    assert changed.splitlines()[0] == "#### The graph of `aws-wordpress`"


def test_the_order_of_the_steps_makes_no_difference() -> None:
    steps = [component("create", "Node", "gfs4"), component("create", "Brick", "gfs4", [NODE])]
    assert drawn(*steps) == drawn(*reversed(steps))
