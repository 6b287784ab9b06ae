"""The inputs and outputs of every stand-in are those of the provider's own SDK.

The tests compare the inputs with the `…Args` classes of the installed SDKs (pulumi_aws, pulumi_digitalocean), and the
outputs with their resource classes.

An input for which an SDK lists values takes no other text. Two inputs that conflict according to an SDK's text are
refused together. Every registered type is compared; a new one needs no entry here.

Limits: the Python SDKs lack the schema's flag for inputs whose change replaces the resource. Only the text of some
properties mentions it, DigitalOcean's more often than Amazon's (whose "Forces new resource" is stripped). Where it
does, the stand-in must replace. The tests cannot check that every property in `replaces` does replace at the provider,
nor the defaults and limits of values.
"""

from __future__ import annotations

import importlib
import inspect
import re
import sys
import types
import typing
from collections.abc import Iterator, Mapping, Sequence
from enum import Enum
from ipaddress import IPv4Network
from typing import Annotated, Any, Literal, Union
from unittest.mock import Mock

import pulumi
import pytest
from pulumi._types import input_type_types
from pulumi_aws.iam import PolicyDocumentArgs
from pydantic import BaseModel

from rehearsal.plugins import aws, digitalocean
from rehearsal.plugins.aws.resource_type import AwsResourceType
from rehearsal.plugins.protocol import InputModel, ResourceType, schema_errors
from rehearsal.preview import paper_types
from rehearsal.region.region import Region
from tests.unit.rehearsal.test_api_model import inputs_of

MENTIONS_REPLACEMENT = re.compile(r"forces (a )?(new|replacement)|recreate", re.IGNORECASE)
MENTIONS_CONFLICT = re.compile(r"(?:conflicts with|can be used instead of|only one of)[^.]*", re.IGNORECASE)
OF_ANOTHER = {"userDataReplaceOnChange"}
"""Inputs whose text mentions the replacement by another input's change."""

REGION = Mock(spec=Region)
REGION.name = "us-east-1"
PAPER = [resource_type(REGION) for resource_type in (*paper_types.AWS, *paper_types.DIGITALOCEAN)]
RESOURCE_TYPES = [
    *aws.provider(REGION).resource_types.values(), *digitalocean.provider(REGION).resource_types.values(), *PAPER,
]  # fmt: skip
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:pulumi_.*")
each_resource_type = pytest.mark.parametrize(
    "resource_type", RESOURCE_TYPES, ids=lambda resource_type: resource_type.token
)


def resource_class(token: str) -> type[pulumi.CustomResource]:
    """`aws:ec2/vpc:Vpc` is pulumi_aws.ec2.Vpc; the module `index` is the package itself."""
    package, where, name = token.split(":")
    module = where.split("/", maxsplit=1)[0]
    found: type[pulumi.CustomResource] = getattr(
        importlib.import_module(f"pulumi_{package}" + ("" if module == "index" else f".{module}")), name
    )
    assert found.pulumi_type == token  # type: ignore[attr-defined]
    return found


def arguments(resource: type) -> type:
    module, name = sys.modules[resource.__module__], resource.__name__
    # an SDK's class of that name may be an input of another resource
    found: type = getattr(module, f"{name}InitArgs", None) or getattr(module, f"{name}Args")
    return found


def getters(sdk: type) -> dict[str, Any]:
    """The getter of each property of an SDK's class; it knows the name on the wire."""
    return {name: member.fget for name, member in vars(sdk).items() if isinstance(member, property)}


def properties(sdk: type) -> dict[str, str]:
    """The text of each property of an SDK's class, by its name on the wire."""
    return {getter._pulumi_name: " ".join((getter.__doc__ or "").split()) for getter in getters(sdk).values()}


def required(sdk: type) -> set[str]:
    """The arguments that an SDK's class requires, by their names on the wire."""
    parameters = inspect.signature(sdk.__init__).parameters.values()  # type: ignore[misc]
    named = getters(sdk)
    return {named[p.name]._pulumi_name for p in parameters if p.kind is p.KEYWORD_ONLY and p.default is p.empty}


def shape(annotation: Any) -> Any:
    """A type's form on the wire: a word, a list of one shape, `{"*": shape}` for a map, or a class with properties."""
    origin, inner = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is Annotated:
        return shape(inner[0])
    if origin is Literal:
        return shape(type(inner[0]))
    if origin in (Union, types.UnionType):
        # an Input is a value, an awaitable of it, or an Output; an enum is sent as the type of its values,
        # and a policy document that is an object as text
        left_out = (*WRAPPERS, PolicyDocumentArgs)
        shapes = [part for part in inner if (typing.get_origin(part) or part) not in left_out]
        values = [part for part in shapes if not is_none_or_enum(part)]
        assert len(values) == 1, f"{annotation} has several shapes"
        return shape(values[0])
    if origin in (list, Sequence):
        return [shape(inner[0])]
    if origin in (dict, Mapping):
        return {"*": shape(inner[1])}
    return {str: "string", IPv4Network: "string", int: "integer", float: "number", bool: "boolean"}.get(
        annotation, annotation
    )


WRAPPERS = (typing.get_origin(typing.Awaitable[str]), pulumi.Output)


def is_none_or_enum(part: Any) -> bool:
    return part is types.NoneType or (isinstance(part, type) and issubclass(part, Enum))


def model_errors(model: type[InputModel], sdk: type, auto_name: str | None = None, where: str = "") -> Iterator[str]:
    """The differences between a stand-in's model of some inputs and the SDK's class for them, one line each."""
    theirs = input_type_types(sdk)
    ours = {field.alias or name: field for name, field in model.model_fields.items()}
    for name, field in ours.items():
        if name not in theirs:
            yield f"{where}{name}: the provider has no such input"
            continue
        yield from differences(shape(field.annotation), shape(theirs[name]), f"{where}{name}")
    for name in required(sdk):
        if name not in ours or not (ours[name].is_required() or name == auto_name):
            yield f"{where}{name}: the provider requires it"


def differences(ours: Any, theirs: Any, where: str) -> Iterator[str]:
    if isinstance(ours, list) and isinstance(theirs, list):
        yield from differences(ours[0], theirs[0], f"{where}[]")
    elif isinstance(ours, dict) and isinstance(theirs, dict):
        yield from differences(ours["*"], theirs["*"], f"{where}{{}}")
    elif isinstance(ours, type) and issubclass(ours, BaseModel) and isinstance(theirs, type):
        assert issubclass(ours, InputModel), f"{where}: accepts unnamed inputs"
        yield from model_errors(ours, theirs, where=f"{where}.")
    elif ours != theirs:
        yield f"{where}: {ours} here, {theirs} in the provider"


def silent_replacements(resource_type: ResourceType[Any], sdk: type) -> list[str]:
    """Inputs whose change replaces the resource according to the SDK's text, but not in the stand-in."""
    inputs = resource_type.names()
    # some inputs replace only when another input is true
    replaced = resource_type.replacing(dict.fromkeys(inputs, True))
    output = {name for name, text in properties(sdk).items() if MENTIONS_REPLACEMENT.search(text)}
    return sorted((output & inputs) - replaced - OF_ANOTHER)


@each_resource_type
def test_inputs_are_those_of_the_provider(resource_type: ResourceType[Any]) -> None:
    assert not list(
        model_errors(resource_type.Inputs, arguments(resource_class(resource_type.token)), resource_type.auto_name)
    )


@each_resource_type
def test_outputs_are_those_of_the_provider(resource_type: ResourceType[Any]) -> None:
    assert resource_type.computed <= properties(resource_class(resource_type.token)).keys()


@each_resource_type
def test_properties_that_replace_are_inputs(resource_type: ResourceType[Any]) -> None:
    assert resource_type.replaces <= properties(arguments(resource_class(resource_type.token))).keys()


@each_resource_type
def test_inputs_that_replace_at_the_provider_replace_here(resource_type: ResourceType[Any]) -> None:
    assert silent_replacements(resource_type, arguments(resource_class(resource_type.token))) == []


def enumerated(annotation: Any) -> bool:
    """Whether an SDK lists values of an input."""
    is_enum = isinstance(annotation, type) and issubclass(annotation, Enum)
    return is_enum or any(enumerated(part) for part in typing.get_args(annotation))


def refuses(resource_type: ResourceType[Any], name: str, value: str) -> bool:
    """Whether a stand-in's model of the inputs, or the service's own of its calls, refuses a value of an input."""
    if any(where == name for where, _ in schema_errors(resource_type, {name: value})):
        return True
    if not isinstance(resource_type, AwsResourceType):
        return False
    [field] = [field for field, info in resource_type.Inputs.model_fields.items() if info.alias == name]
    calls = resource_type.calls(inputs_of(resource_type.Inputs, set()).model_copy(update={field: value}))
    return any(repr(value) in fault for call in calls for fault in call.faults())


@each_resource_type
def test_an_input_takes_only_values_that_the_provider_lists(resource_type: ResourceType[Any]) -> None:
    theirs = input_type_types(arguments(resource_class(resource_type.token)))
    listed = [name for name in resource_type.names() if enumerated(theirs[name])]
    assert [name for name in listed if not refuses(resource_type, name, "no such value")] == []


def silent_conflicts(resource_type: ResourceType[Any], sdk: type) -> list[tuple[str, str]]:
    """Inputs that conflict according to the SDK's text, but not in the stand-in."""
    inputs, wire = resource_type.names(), {name: getter._pulumi_name for name, getter in getters(sdk).items()}
    pairs = {
        (name, wire.get(other, other))
        for name, text in properties(sdk).items()
        for sentence in MENTIONS_CONFLICT.findall(text)
        for other in re.findall(r"`(\w+)`", sentence)
    }
    declared = {frozenset(pair) for pair in resource_type.conflicts}
    return sorted((a, b) for a, b in pairs if a != b and {a, b} <= inputs and frozenset((a, b)) not in declared)


@each_resource_type
def test_inputs_that_conflict_at_the_provider_conflict_here(resource_type: ResourceType[Any]) -> None:
    assert silent_conflicts(resource_type, arguments(resource_class(resource_type.token))) == []


@each_resource_type
def test_inputs_that_conflict_are_inputs(resource_type: ResourceType[Any]) -> None:
    assert {name for pair in resource_type.conflicts for name in pair} <= resource_type.names()


class Rule(InputModel):
    value: int
    colour: str = ""


class Wrong(InputModel):
    cluster_id: list[str]
    rules: list[Rule]
    tags: dict[str, str] | None = None


class Lenient(InputModel):
    cluster_id: str | None = None


def test_a_model_that_the_provider_would_refuse_is_found() -> None:
    firewall = arguments(resource_class("digitalocean:index/databaseFirewall:DatabaseFirewall"))
    assert sorted(model_errors(Wrong, firewall)) == [
        "clusterId: ['string'] here, string in the provider",
        "rules[].colour: the provider has no such input",
        "rules[].type: the provider requires it",
        "rules[].value: integer here, string in the provider",
        "tags: the provider has no such input",
    ]
    assert sorted(model_errors(Lenient, firewall)) == [
        "clusterId: the provider requires it",
        "rules: the provider requires it",
    ]


class ForgetfulInputs(InputModel):
    image: str
    ssh_keys: list[str]
    user_data: str


class Forgetful(ResourceType[ForgetfulInputs]):
    """A stand-in that wrongly keeps a droplet whose user data or keys change."""

    token = "digitalocean:index/droplet:Droplet"
    replaces = frozenset({"image"})


def test_a_missing_replacement_is_found() -> None:
    droplet = arguments(resource_class(Forgetful.token))
    assert silent_replacements(Forgetful(), droplet) == ["sshKeys", "userData"]


class UndecidedInputs(InputModel):
    instance_type: str
    user_data: str | None = None
    user_data_base64: str | None = None


class Undecided(ResourceType[UndecidedInputs]):
    """A stand-in that wrongly takes both forms of user data, and any type."""

    token = "aws:ec2/instance:Instance"


def test_a_missing_conflict_is_found() -> None:
    instance = arguments(resource_class(Undecided.token))
    assert silent_conflicts(Undecided(), instance) == [("userDataBase64", "userData")]


def test_an_input_that_takes_any_text_is_found() -> None:
    assert not refuses(Undecided(), "instanceType", "no such value")
