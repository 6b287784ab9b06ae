"""The graph of an `up` and its critical path. All figures here are made up."""

from __future__ import annotations

from typing import Any

import pytest

from rehearsal.deploy.critical_path import critical_path, graph
from rehearsal.deploy.deployment import OperationResult, Step, short_name
from rehearsal.session.runner import second_up_check


def urn(type_: str, name: str) -> str:
    return f"urn:pulumi:made-up::ha-wordpress::ha-wordpress:index:Site${type_}::{name}"


NETWORK, NODE, RECORD = (
    urn("aws:ec2/vpc:Vpc", "main"),
    urn("aws:ec2/instance:Instance", "gfs1"),
    urn("tls:index:Key", "k"),
)


def resource(name: str, **attributes: Any) -> dict[str, Any]:
    return {"urn": name, "custom": True, "type": "a type", **attributes}


def result(*steps: tuple[str, str, float, float | None]) -> OperationResult:
    return OperationResult(
        10, {name: Step(name, "a type", operation, start, end) for name, operation, start, end in steps}
    )


def test_a_resource_is_named_by_its_own_type_and_name() -> None:
    assert short_name(NODE) == "Instance gfs1"


def test_the_critical_path_follows_dependencies_of_either_kind() -> None:
    resources = [
        resource(NETWORK),
        resource(RECORD),
        resource(NODE, dependencies=[RECORD], propertyDependencies={"subnet": [NETWORK]}),
    ]
    up = result((NETWORK, "create", 0, 4), (RECORD, "create", 0, 1), (NODE, "create", 4, 9))
    nodes = graph(up, resources)
    assert [node.resource for node in nodes] == ["Key k", "Vpc main", "Instance gfs1"]
    assert nodes[-1].waits_for == ["Key k", "Vpc main"]
    assert [(step.resource, step.seconds) for step in critical_path(nodes)] == [("Vpc main", 4), ("Instance gfs1", 5)]


def test_the_graph_has_only_resources_that_the_engine_changed() -> None:
    name = urn("ha-wordpress:index:Node", "gfs1")
    component = {"urn": name, "custom": False, "type": "ha-wordpress:index:Node"}
    up = result((NETWORK, "same", 0, 1), (NODE, "create", 1, None), (name, "create", 0, 1))
    assert graph(up, [resource(NETWORK), resource(NODE), component]) == []
    assert critical_path([]) == []


@pytest.mark.parametrize(
    ("operation", "passed", "measured"),
    [("same", True, "0"), ("read", True, "0"), ("update", False, "Vpc main (update)")],
)
def test_a_second_up_may_change_no_resource(operation: str, passed: bool, measured: str) -> None:
    check = second_up_check(result((NETWORK, operation, 0, 1)))
    assert (check.passed, check.measured, check.limit) == (passed, measured, "0")
