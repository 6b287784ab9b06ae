"""A client of a stand-in that calls it as the engine does: check, then create, update, replace or delete."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, replace
from typing import Any
from unittest.mock import Mock

import grpc
from pulumi.runtime.proto import provider_pb2

from rehearsal.plugins.protocol import UNKNOWN, Properties, Provider, from_wire, to_wire


class Rejected(Exception):
    """The error that the operator would see."""


@dataclass(frozen=True)
class Resource:
    urn: str
    id: str
    inputs: Properties
    outputs: Properties


@dataclass(frozen=True)
class Difference:
    """What the engine would do with changed inputs."""

    replaces: list[str]
    delete_first: bool


class Engine:
    """Calls one stand-in; `type_name` is a resource type's class name, for example `Droplet`, or its token."""

    def __init__(self, provider: Provider) -> None:
        self._provider = provider
        self._context = Mock(spec=grpc.ServicerContext)
        self._context.abort.side_effect = self._abort

    def create(self, type_name: str, name: str, /, **inputs: Any) -> Resource:
        urn = self._urn(type_name, name)
        checked = self._check(urn, {}, inputs)
        request = provider_pb2.CreateRequest(urn=urn, properties=to_wire(checked))
        made = self._provider.Create(request, self._context)
        return Resource(urn, made.id, checked, from_wire(made.properties))

    def unknowns(self, type_name: str, name: str, /, **inputs: Any) -> set[str]:
        """The outputs that are unknown in a preview."""
        urn = self._urn(type_name, name)
        properties = to_wire(self._check(urn, {}, inputs))
        made = self._provider.Create(
            provider_pb2.CreateRequest(urn=urn, properties=properties, preview=True), self._context
        )
        return {name for name, value in from_wire(made.properties).items() if value == UNKNOWN}

    def difference(self, resource: Resource, **changes: Any) -> Difference:
        request = provider_pb2.DiffRequest(
            id=resource.id, urn=resource.urn, old_inputs=to_wire(resource.inputs),
            news=to_wire(self._check(resource.urn, resource.inputs, resource.inputs | changes)),
        )  # fmt: skip
        found = self._provider.Diff(request, self._context)
        return Difference(sorted(found.replaces), found.deleteBeforeReplace)

    def update(self, resource: Resource, **changes: Any) -> Resource:
        """Change a resource in place."""
        checked = self._check(resource.urn, resource.inputs, resource.inputs | changes)
        request = provider_pb2.UpdateRequest(
            id=resource.id, urn=resource.urn, olds=to_wire(resource.outputs), news=to_wire(checked),
            old_inputs=to_wire(resource.inputs),
        )  # fmt: skip
        made = self._provider.Update(request, self._context)
        return replace(resource, inputs=checked, outputs=from_wire(made.properties))

    def delete(self, resource: Resource) -> None:
        request = provider_pb2.DeleteRequest(
            id=resource.id, urn=resource.urn, properties=to_wire(resource.outputs), old_inputs=to_wire(resource.inputs)
        )
        self._provider.Delete(request, self._context)

    def exists(self, resource: Resource) -> bool:
        """Whether a refresh finds the resource."""
        return bool(self._provider.Read(provider_pb2.ReadRequest(id=resource.id, urn=resource.urn), self._context).id)

    def invoke(self, token: str, **arguments: Any) -> Properties:
        answer = self._provider.Invoke(provider_pb2.InvokeRequest(tok=token, args=to_wire(arguments)), self._context)
        return from_wire(getattr(answer, "return"))

    def _check(self, urn: str, old: Properties, new: Properties) -> Properties:
        request = provider_pb2.CheckRequest(
            urn=urn, olds=to_wire(old), news=to_wire(new), randomSeed=secrets.token_bytes(32)
        )
        answer = self._provider.Check(request, self._context)
        if answer.failures:
            raise Rejected("; ".join(f"{failure.property}: {failure.reason}" for failure in answer.failures))
        return from_wire(answer.inputs)

    def _urn(self, type_name: str, name: str) -> str:
        [token] = [token for token in self._provider.resource_types if type_name in (token, token.rsplit(":", 1)[1])]
        return f"urn:pulumi:test::ha-wordpress::{token}::{name}"

    @staticmethod
    def _abort(code: grpc.StatusCode, text: str) -> None:
        raise Rejected(text)
