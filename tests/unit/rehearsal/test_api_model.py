"""AWS's stand-ins refuse what the services' own models refuse, and every input that the provider sends is compared."""

from __future__ import annotations

import re
import types
import typing
from collections.abc import Iterator
from ipaddress import IPv4Network
from typing import Annotated, Any, Literal, Union, cast
from unittest.mock import Mock

import pytest
from botocore.model import Shape, ShapeResolver, StringShape
from pydantic import BaseModel

from rehearsal.plugins import aws
from rehearsal.plugins.aws.api_model import Call, excesses, model, translated
from rehearsal.plugins.aws.resource_type import AwsResourceType
from rehearsal.plugins.protocol import InputModel, Refused
from rehearsal.preview import paper_types
from rehearsal.region.region import Region

REGION = Mock(spec=Region)
REGION.name = "us-east-1"
RESOURCE_TYPES = cast(
    list[AwsResourceType[Any]],
    [*aws.provider(REGION).resource_types.values(), *(resource_type(REGION) for resource_type in paper_types.AWS)],
)
each_resource_type = pytest.mark.parametrize(
    "resource_type", RESOURCE_TYPES, ids=lambda each: f"{type(each).__module__}.{type(each).__name__}"
)


def example(annotation: Any, unread: set[str]) -> Any:
    """A value of a type, with every optional part present."""
    origin, inner = typing.get_origin(annotation), typing.get_args(annotation)
    if origin in (Annotated, Union, types.UnionType):
        return example(inner[0], unread)
    if origin is Literal:
        return inner[0]
    if origin is list:
        return [example(inner[0], unread)]
    if origin is dict:
        return {"name": "text"}
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return inputs_of(annotation, unread)
    return {str: "text", int: 5, float: 5.5, bool: True, IPv4Network: IPv4Network("10.0.0.0/16")}[annotation]


def inputs_of(inputs: type[BaseModel], unread: set[str], *, optional: bool = True) -> Any:
    """Unchecked inputs, with all fields or with the required ones. `unread`: names of fields that nothing has read."""

    class Recorded(inputs):  # type: ignore[valid-type, misc]
        def __getattribute__(self, name: str) -> Any:
            unread.discard(f"{inputs.__name__}.{name}")
            return super().__getattribute__(name)

    wanted = {name: field for name, field in inputs.model_fields.items() if optional or field.is_required()}
    made = Recorded.model_construct(**{name: example(field.annotation, unread) for name, field in wanted.items()})
    if optional:
        unread.update(f"{inputs.__name__}.{name}" for name in wanted)
    return made


@each_resource_type
def test_every_input_is_in_a_call_or_declared_as_not_sent(resource_type: AwsResourceType[Any]) -> None:
    unread: set[str] = set()
    assert list(resource_type.calls(inputs_of(resource_type.Inputs, unread)))
    # some inputs matter only where another is absent
    assert list(resource_type.calls(inputs_of(resource_type.Inputs, unread, optional=False)))
    assert unread == {f"{resource_type.Inputs.__name__}.{name}" for name in resource_type.not_sent}


@each_resource_type
def test_every_call_has_the_members_of_the_service_s_model(resource_type: AwsResourceType[Any]) -> None:
    for optional in (True, False):
        calls = resource_type.calls(inputs_of(resource_type.Inputs, set(), optional=optional))
        faults = [fault for call in calls for fault in call.faults()]
        assert not [fault for fault in faults if re.search(r"Unknown|Missing|Invalid type", fault)]


def shapes(shape: Shape, seen: frozenset[str] = frozenset()) -> Iterator[Shape]:
    if shape.name not in seen:
        yield shape
        parts = [getattr(shape, part) for part in ("member", "key", "value") if hasattr(shape, part)]
        for part in (*parts, *getattr(shape, "members", {}).values()):
            yield from shapes(part, seen | {shape.name})


@each_resource_type
def test_every_pattern_is_one_of_python_s_too(resource_type: AwsResourceType[Any]) -> None:
    for call in resource_type.calls(inputs_of(resource_type.Inputs, set())):
        shape = model(call.service).operation_model(call.operation).input_shape
        assert shape
        for each in shapes(shape):
            re.compile(translated(each.metadata.get("pattern", "")), re.ASCII)


class UnmappedInputs(InputModel):
    name: str


class Unmapped(AwsResourceType[UnmappedInputs]):
    token = "aws:s3/bucket:Bucket"
    prefix = "bucket"


def test_a_stand_in_without_calls_accepts_nothing() -> None:
    with pytest.raises(NotImplementedError):
        Unmapped(REGION).create(UnmappedInputs(name="shop"), "urn")


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (Call("ec2", "CreateVolume", VolumeType="gp9"), "InvalidParameterValue: CreateVolume: VolumeType: 'gp9'"),
        (Call("ec2", "RunInstances", MinCount=1, MaxCount=1, InstanceType="t9.small"), "InstanceType: 't9.small'"),
        (Call("elbv2", "CreateTargetGroup", Name="web", Port=65536), "Port: 65536 is more than 65535"),
        (Call("elbv2", "CreateTargetGroup", Name="web", HealthCheckIntervalSeconds=4), "Seconds, value: 4"),
        (Call("elbv2", "CreateTargetGroup", Name="web", HealthCheckPath="/" * 1025), "a length of 1025 is more than"),
        (Call("elbv2", "CreateLoadBalancer"), 'ValidationError: CreateLoadBalancer: .* "Name"'),
        (Call("elbv2", "CreateLoadBalancer", Name="web", Type="classic"), "Type: 'classic' is none of application, "),
        (Call("elbv2", "CreateLoadBalancer", Name="web", Tags=[{"Key": "a*"}]), r"Tags\[0\].Key: 'a\*' does not match"),
        (Call("rds", "CreateDBSubnetGroup", DBSubnetGroupName="web"), "InvalidParameterValue: .*SubnetIds"),
        (Call("iam", "CreateInstanceProfile", InstanceProfileName="a/b"), "InstanceProfileName: 'a/b' does not match"),
        (Call("iam", "CreateInstanceProfile", InstanceProfileName="é"), "InstanceProfileName: 'é' does not match"),
        (
            Call("iam", "CreateInstanceProfile", InstanceProfileName="a", Tags=[{"Key": "a", "Value": "b"}] * 51),
            "Tags: a length of 51 is more than 50",
        ),
        (Call("ec2", "CreateVpc", Cidr="10.0.0.0/16"), 'Unknown parameter in input: "Cidr"'),
        (Call("ec2", "CreateVolume", Size="20"), "Invalid type for parameter Size"),
    ],
)
def test_a_member_that_the_service_s_model_does_not_allow_is_refused(call: Call, words: str) -> None:
    with pytest.raises(Refused, match=words):
        call.refuse()


def test_a_tag_may_have_letters_of_any_language() -> None:
    Call("elbv2", "CreateLoadBalancer", Name="web", Tags=[{"Key": "Größe", "Value": "три 3"}]).refuse()


def test_a_secret_value_is_not_in_the_error() -> None:
    shape = StringShape("Password", {"type": "string", "sensitive": True, "pattern": "[a-z]+"})
    assert list(excesses("hunter2", shape, "Password")) == ["Password: the value does not match [a-z]+"]


def test_the_keys_and_values_of_a_map_are_checked() -> None:
    shapes: dict[str, Any] = {
        "Key": {"type": "string", "max": 1},
        "Value": {"type": "string", "enum": ["on", "off"]},
        "Map": {"type": "map", "key": {"shape": "Key"}, "value": {"shape": "Value"}},
    }
    assert list(excesses({"ab": "none"}, ShapeResolver(shapes).get_shape_by_name("Map"), "Map")) == [
        "Map.ab: a length of 2 is more than 1",
        "Map.ab: 'none' is none of on, off",
    ]


def test_a_member_of_none_or_nothing_is_not_sent() -> None:
    call = Call(
        "ec2", "CreateVolume", Size=0, Encrypted=False, Iops=None, TagSpecifications=[], Operator={"Principal": None}
    )
    assert call.members == {"Size": 0, "Encrypted": False}


def test_a_model_is_read_once() -> None:
    assert model("elbv2") is model("elbv2")
