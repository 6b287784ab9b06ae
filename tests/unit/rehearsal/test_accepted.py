"""The stand-ins accept every input of the stacks: no rehearsal ends at an unsupported or a refused input."""

from __future__ import annotations

from typing import Any
from unittest.mock import Mock

import pytest

from rehearsal.deploy.stacks import OWN_VARIABLES
from rehearsal.plugins import aws, digitalocean
from rehearsal.plugins.aws.resource_type import AwsResourceType
from rehearsal.plugins.protocol import schema_errors
from rehearsal.region.region import Region
from tests.unit.graph import Secret
from tests.unit.test_alarms import alarmed
from tests.unit.test_settings import OWN_BUCKET

PROVIDERS = {"aws": aws, "digitalocean": digitalocean}


def plain(value: Any) -> Any:
    """A value of the recorded graph, in the form that a provider receives."""
    if isinstance(value, Secret):
        return plain(value.value)
    if isinstance(value, dict):
        return {name: plain(part) for name, part in value.items()}
    return [plain(part) for part in value] if isinstance(value, list) else value


def region() -> Mock:
    """A region that no request reaches."""
    mock = Mock(spec=Region)
    mock.name = "us-east-1"
    return mock


@pytest.mark.parametrize("stack", ["aws-wordpress", "digitalocean-wordpress"])
def test_every_input_of_the_stack_is_accepted(stack: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in OWN_VARIABLES.items():
        monkeypatch.setenv(name, value)
    cloud = stack.split("-", maxsplit=1)[0]
    resource_types = PROVIDERS[cloud].provider(region()).resource_types
    graph = alarmed(stack, **OWN_BUCKET)
    requested = [resource for resource in graph.resources.values() if resource.type.startswith(f"{cloud}:")]
    assert requested
    errors = []
    for resource in requested:
        resource_type, inputs = resource_types[resource.type], plain(resource.inputs)
        if resource_type.auto_name:
            inputs.setdefault(resource_type.auto_name, "named-by-the-provider")
        found = [*schema_errors(resource_type, inputs), *resource_type.check(inputs)]
        errors += [f"{resource.name}: {where}: {what}" for where, what in found]
        if isinstance(resource_type, AwsResourceType):
            calls = resource_type.calls(resource_type.Inputs.model_validate(inputs))
            errors += [f"{resource.name}: {fault}" for call in calls for fault in call.faults()]
    assert errors == []
