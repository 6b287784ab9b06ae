"""The provider protocol between the real engine and our stand-ins of provider plugins.

A stand-in is a set of resource types. Each defines the inputs that it accepts (it refuses all others by name), the
changes that replace a resource, and what the rehearsal does when a resource is created, updated or deleted.
"""

from __future__ import annotations

import json
import re
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from importlib import metadata
from typing import Any, ClassVar, Generic, TypeVar, get_args

import grpc
from google.protobuf import empty_pb2, json_format, struct_pb2
from pulumi.runtime.proto import plugin_pb2, provider_pb2, provider_pb2_grpc
from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic.alias_generators import to_camel

UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
"""The engine's text for a value that is unknown in a preview (sdk/go/common/resource/plugin/rpc.go)."""

TAIL = 7
"""Length of the random tail of an automatic name, in characters (Pulumi documentation, "Auto-naming")."""

Properties = dict[str, Any]


class Refused(Exception):
    """The cloud's error answer; the engine shows its text to the operator."""


class InputModel(BaseModel):
    """The inputs of a resource type: snake_case here, camelCase on the wire. Any other input is refused."""

    model_config = ConfigDict(extra="forbid", alias_generator=to_camel, frozen=True)


InputsT = TypeVar("InputsT", bound=InputModel)


class ResourceType(Generic[InputsT]):
    """One resource type of a stand-in, with the model of its inputs: `class Disk(ResourceType[DiskInputs])`."""

    token: ClassVar[str]
    Inputs: type[InputsT]
    replaces: ClassVar[frozenset[str]] = frozenset()
    """Inputs (as on the wire) whose change replaces the resource."""
    computed: ClassVar[frozenset[str]] = frozenset()
    """Outputs (as on the wire) that are unknown until the resource is created."""
    auto_name: ClassVar[str | None] = None
    """The input that defaults to the resource's name with a random tail."""
    conflicts: ClassVar[tuple[tuple[str, str], ...]] = ()
    """Pairs of inputs (as on the wire) of which only one may be set."""

    def __init_subclass__(cls) -> None:
        """Keep the model that the class is parametrized with, to parse inputs with it."""
        super().__init_subclass__()
        for base in cls.__dict__.get("__orig_bases__", ()):
            for argument in get_args(base):
                if isinstance(argument, type):
                    cls.Inputs = argument

    def names(self) -> set[str]:
        """The names of the inputs, as on the wire."""
        return {field.alias or name for name, field in self.Inputs.model_fields.items()}

    def replacing(self, new: Properties) -> frozenset[str]:
        """The inputs whose change replaces the resource; a type whose answer depends on other inputs overrides this."""
        return self.replaces

    def check(self, inputs: Properties) -> Iterator[tuple[str, str]]:
        """Errors beyond the model's, as (input, what is wrong); an input may be `UNKNOWN`."""
        yield from ()

    def create(self, inputs: InputsT, urn: str) -> tuple[str, Properties]:
        """Create the resource; returns its id, and its outputs beside the inputs."""
        raise NotImplementedError

    def update(self, resource_id: str, old: Properties, inputs: InputsT) -> Properties:
        """Change the resource in place; returns its outputs beside the inputs. `old`: inputs and outputs before."""
        raise Refused(f"{self.token}: a change in place is not supported by the rehearsal")

    def read(self, resource_id: str) -> bool:
        """Whether the resource still exists."""
        raise NotImplementedError

    def delete(self, resource_id: str, state: Properties, inputs: InputsT) -> None:
        """Delete the resource. `state`: its inputs and outputs."""
        raise NotImplementedError


Context = grpc.ServicerContext
Function = Callable[[Properties], Properties]


class Provider(provider_pb2_grpc.ResourceProviderServicer):
    """One stand-in: the provider's name in the engine, its resource types, and its functions by token."""

    def __init__(
        self, name: str, resource_types: Sequence[ResourceType[Any]], functions: Mapping[str, Function] | None = None
    ) -> None:
        self.name = name
        self.resource_types = {resource_type.token: resource_type for resource_type in resource_types}
        self.functions = dict(functions or {})

    def serve(self) -> int:
        """Serve on a free port of the loopback interface; returns the port."""
        # a create may take minutes, and the engine sends any number of them at once
        self.server = grpc.server(ThreadPoolExecutor(max_workers=64))
        provider_pb2_grpc.add_ResourceProviderServicer_to_server(self, self.server)
        port: int = self.server.add_insecure_port("127.0.0.1:0")
        self.server.start()
        return port

    def stop(self) -> None:
        """End `serve`, without waiting for calls that are under way."""
        self.server.stop(None)

    def resource_type(self, urn: str) -> ResourceType[Any]:
        """The type of the resource with this URN. Raises `Refused` when the stand-in does not have the type."""
        token = urn.split("::")[2].rsplit("$", maxsplit=1)[-1]
        if token not in self.resource_types:
            raise Refused(f"{token} is not supported by the rehearsal")
        return self.resource_types[token]

    def Handshake(
        self, request: provider_pb2.ProviderHandshakeRequest, context: Context
    ) -> provider_pb2.ProviderHandshakeResponse:
        return provider_pb2.ProviderHandshakeResponse()

    def Attach(self, request: plugin_pb2.PluginAttach, context: Context) -> empty_pb2.Empty:
        return empty_pb2.Empty()

    def GetPluginInfo(self, request: empty_pb2.Empty, context: Context) -> plugin_pb2.PluginInfo:
        return plugin_pb2.PluginInfo(version=metadata.version(f"pulumi-{self.name}"))

    def CheckConfig(self, request: provider_pb2.CheckRequest, context: Context) -> provider_pb2.CheckResponse:
        return provider_pb2.CheckResponse(inputs=request.news)

    def DiffConfig(self, request: provider_pb2.DiffRequest, context: Context) -> provider_pb2.DiffResponse:
        return provider_pb2.DiffResponse(changes=provider_pb2.DiffResponse.DIFF_NONE)

    def Configure(self, request: provider_pb2.ConfigureRequest, context: Context) -> provider_pb2.ConfigureResponse:
        return provider_pb2.ConfigureResponse(supportsPreview=True)

    def Cancel(self, request: empty_pb2.Empty, context: Context) -> empty_pb2.Empty:
        return empty_pb2.Empty()

    def Invoke(self, request: provider_pb2.InvokeRequest, context: Context) -> provider_pb2.InvokeResponse:
        with Answering(context):
            if request.tok not in self.functions:
                raise Refused(f"{request.tok} is not supported by the rehearsal")
            answer = provider_pb2.InvokeResponse()
            getattr(answer, "return").CopyFrom(to_wire(self.functions[request.tok](from_wire(request.args))))
            return answer

    def Check(self, request: provider_pb2.CheckRequest, context: Context) -> provider_pb2.CheckResponse:
        with Answering(context):
            resource_type = self.resource_type(request.urn)
            old, new = from_wire(request.olds), from_wire(request.news)
            if resource_type.auto_name and resource_type.auto_name not in new:
                before = old.get(resource_type.auto_name, "")
                tail = request.randomSeed.hex()[:TAIL]
                new[resource_type.auto_name] = (
                    before if auto_named(request.urn, before) else f"{logical_name(request.urn)}-{tail}"
                )
            errors = [*schema_errors(resource_type, new), *resource_type.check(new)]
            failures = [provider_pb2.CheckFailure(property=where, reason=what) for where, what in errors]
            return provider_pb2.CheckResponse(inputs=to_wire(new), failures=failures)

    def Diff(self, request: provider_pb2.DiffRequest, context: Context) -> provider_pb2.DiffResponse:
        with Answering(context):
            resource_type = self.resource_type(request.urn)
            old, new = from_wire(request.old_inputs), from_wire(request.news)
            changed = sorted(name for name in old.keys() | new.keys() if old.get(name) != new.get(name))
            return provider_pb2.DiffResponse(
                changes=provider_pb2.DiffResponse.DIFF_SOME if changed else provider_pb2.DiffResponse.DIFF_NONE,
                diffs=changed,
                replaces=[name for name in changed if name in resource_type.replacing(new)],
                # a name that the program chose cannot exist twice (pulumi-terraform-bridge, schema.go)
                deleteBeforeReplace=resource_type.auto_name in new
                and not auto_named(request.urn, new[resource_type.auto_name]),
            )

    def Create(self, request: provider_pb2.CreateRequest, context: Context) -> provider_pb2.CreateResponse:
        with Answering(context):
            resource_type, inputs = self.resource_type(request.urn), from_wire(request.properties)
            if request.preview:
                return provider_pb2.CreateResponse(
                    properties=to_wire(inputs | dict.fromkeys(resource_type.computed, UNKNOWN))
                )
            resource_id, outputs = resource_type.create(resource_type.Inputs.model_validate(inputs), request.urn)
            if not resource_type.computed <= outputs.keys() <= resource_type.computed | resource_type.names():
                declared = sorted(resource_type.computed)
                raise AssertionError(f"{resource_type.token} declares the outputs {declared}, not {sorted(outputs)}")
            return provider_pb2.CreateResponse(id=resource_id, properties=to_wire(inputs | outputs))

    def Read(self, request: provider_pb2.ReadRequest, context: Context) -> provider_pb2.ReadResponse:
        with Answering(context):
            if not self.resource_type(request.urn).read(request.id):
                return provider_pb2.ReadResponse()
            return provider_pb2.ReadResponse(id=request.id, properties=request.properties, inputs=request.inputs)

    def Update(self, request: provider_pb2.UpdateRequest, context: Context) -> provider_pb2.UpdateResponse:
        with Answering(context):
            resource_type, old, new = (
                self.resource_type(request.urn),
                from_wire(request.olds),
                from_wire(request.news),
            )
            if request.preview:
                return provider_pb2.UpdateResponse(properties=to_wire(old | new))
            outputs = resource_type.update(request.id, old, resource_type.Inputs.model_validate(new))
            kept = {name: old[name] for name in resource_type.computed if name in old}
            return provider_pb2.UpdateResponse(properties=to_wire(kept | new | outputs))

    def Delete(self, request: provider_pb2.DeleteRequest, context: Context) -> empty_pb2.Empty:
        with Answering(context):
            resource_type, inputs = self.resource_type(request.urn), from_wire(request.old_inputs)
            resource_type.delete(request.id, from_wire(request.properties), resource_type.Inputs.model_validate(inputs))
            return empty_pb2.Empty()


class Answering:
    """Turns an exception into a gRPC status: the engine reports it and ends its operation in order."""

    def __init__(self, context: Context) -> None:
        self.context = context

    def __enter__(self) -> None: ...

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        if error is None:
            return
        # an uncaught exception would leave a pending operation in the stack's state
        text = str(error) if isinstance(error, Refused) else "".join(traceback.format_exception(error))
        self.context.abort(grpc.StatusCode.FAILED_PRECONDITION, text)


def schema_errors(resource_type: ResourceType[Any], inputs: Properties) -> Iterator[tuple[str, str]]:
    """The model's errors, as (input, what is wrong), without those of values that are unknown in a preview."""
    for one, other in resource_type.conflicts:
        if inputs.get(one) and inputs.get(other):
            yield one, f"{resource_type.token}: conflicts with {other}"
    try:
        resource_type.Inputs.model_validate(inputs)
    except ValidationError as error:
        for fault in error.errors():
            where = ".".join(str(step) for step in fault["loc"])
            if fault["type"] == "extra_forbidden":
                yield where, f"{resource_type.token}: this input is not supported by the rehearsal"
            elif UNKNOWN not in json.dumps(fault["input"], default=str):
                yield where, f"{resource_type.token}: {fault['msg']}"


def logical_name(urn: str) -> str:
    """The name that the program gives a resource."""
    return urn.rsplit("::", maxsplit=1)[-1]


def auto_named(urn: str, name: str) -> bool:
    """Whether a resource's name is automatic, and not the program's."""
    return re.fullmatch(rf"{re.escape(logical_name(urn))}-[0-9a-f]{{{TAIL}}}", name) is not None


def from_wire(properties: struct_pb2.Struct) -> Properties:
    values: Properties = json_format.MessageToDict(properties)
    return values


def to_wire(properties: Properties) -> struct_pb2.Struct:
    return json_format.ParseDict(properties, struct_pb2.Struct())
