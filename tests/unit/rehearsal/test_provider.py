"""A stand-in refuses unsupported inputs by name, accepts unknowns in a preview, and replaces only where it must."""

from __future__ import annotations

from unittest.mock import Mock

import grpc
import pytest
from pulumi.runtime.proto import provider_pb2

from rehearsal.plugins.protocol import (
    UNKNOWN,
    InputModel,
    Properties,
    Provider,
    Refused,
    ResourceType,
    from_wire,
    to_wire,
)

URN = "urn:pulumi:stack::project::ha-wordpress:aws:Node$test:index/disk:Disk::gfs1"


class DiskInputs(InputModel):
    name: str
    zone: str
    size_gb: int


class Disk(ResourceType[DiskInputs]):
    token = "test:index/disk:Disk"
    replaces = frozenset({"zone"})
    computed = frozenset({"serial"})
    auto_name = "name"

    def create(self, inputs: DiskInputs, urn: str) -> tuple[str, Properties]:
        if inputs.zone == "none":
            raise Refused("zone none does not exist")
        return "disk-1", {"serial": f"serial of {inputs.size_gb}"}

    def update(self, resource_id: str, old: Properties, inputs: DiskInputs) -> Properties:
        return {}


class Aborted(Exception):
    """The status that the engine would get."""


def context() -> grpc.ServicerContext:
    def abort(code: grpc.StatusCode, text: str) -> None:
        raise Aborted(f"{code.name}: {text}")

    made = Mock(spec=grpc.ServicerContext)
    made.abort.side_effect = abort
    return made


@pytest.fixture
def provider() -> Provider:
    return Provider("test", [Disk()])


def check(provider: Provider, news: Properties, olds: Properties | None = None) -> tuple[Properties, list[str]]:
    request = provider_pb2.CheckRequest(
        urn=URN, news=to_wire(news), olds=to_wire(olds or {}), randomSeed=b"\x12\x34\x56\x78"
    )
    answer = provider.Check(request, context())
    return from_wire(answer.inputs), [f"{failure.property}: {failure.reason}" for failure in answer.failures]


def test_an_unsupported_input_is_refused_by_name(provider: Provider) -> None:
    _, failures = check(provider, {"zone": "a", "sizeGb": 1, "snapshotId": "snap-1"})
    assert failures == ["snapshotId: test:index/disk:Disk: this input is not supported by the rehearsal"]


def test_a_missing_input_is_refused(provider: Provider) -> None:
    _, failures = check(provider, {"zone": "a"})
    assert failures == ["sizeGb: test:index/disk:Disk: Field required"]


def test_a_value_of_the_wrong_type_is_refused_and_an_unknown_one_is_not(provider: Provider) -> None:
    assert len(check(provider, {"zone": "a", "sizeGb": "large"})[1]) == 1
    assert check(provider, {"zone": "a", "sizeGb": UNKNOWN})[1] == []


def test_a_name_is_made_once_and_kept(provider: Provider) -> None:
    named, _ = check(provider, {"zone": "a", "sizeGb": 1})
    assert named["name"] == "gfs1-1234567"
    again, _ = check(provider, {"zone": "a", "sizeGb": 2}, olds={"name": "gfs1-89abcde"})
    assert again["name"] == "gfs1-89abcde"


def test_a_name_that_the_program_chose_goes_when_the_program_drops_it(provider: Provider) -> None:
    dropped, _ = check(provider, {"zone": "a", "sizeGb": 1}, olds={"name": "archive"})
    assert dropped["name"] == "gfs1-1234567"


@pytest.mark.parametrize(("name", "first"), [("gfs1-89abcde", False), ("archive", True)])
def test_a_resource_with_a_name_of_the_program_s_is_deleted_before_it_is_replaced(
    provider: Provider, name: str, first: bool
) -> None:
    old = {"name": name, "zone": "a", "sizeGb": 1}
    request = provider_pb2.DiffRequest(id="disk-1", urn=URN, old_inputs=to_wire(old), news=to_wire(old | {"zone": "b"}))
    assert provider.Diff(request, context()).deleteBeforeReplace is first


@pytest.mark.parametrize(
    ("change", "replaced"), [({"zone": "b"}, ["zone"]), ({"sizeGb": 2}, []), ({"zone": UNKNOWN}, ["zone"])]
)
def test_a_change_replaces_only_where_the_cloud_does(
    provider: Provider, change: Properties, replaced: list[str]
) -> None:
    old = {"name": "n", "zone": "a", "sizeGb": 1}
    request = provider_pb2.DiffRequest(id="disk-1", urn=URN, old_inputs=to_wire(old), news=to_wire(old | change))
    answer = provider.Diff(request, context())
    assert answer.changes == provider_pb2.DiffResponse.DIFF_SOME
    assert list(answer.replaces) == replaced


def test_equal_inputs_make_no_difference(provider: Provider) -> None:
    old = {"name": "n", "zone": "a", "sizeGb": 1}
    request = provider_pb2.DiffRequest(id="disk-1", urn=URN, old_inputs=to_wire(old), news=to_wire(old))
    assert provider.Diff(request, context()).changes == provider_pb2.DiffResponse.DIFF_NONE


def test_a_preview_makes_nothing_and_leaves_computed_outputs_unknown(provider: Provider) -> None:
    properties = to_wire({"name": "n", "zone": "none", "sizeGb": 1})
    answer = provider.Create(provider_pb2.CreateRequest(urn=URN, properties=properties, preview=True), context())
    assert answer.id == ""
    assert from_wire(answer.properties)["serial"] == UNKNOWN


@pytest.mark.parametrize("outputs", [{}, {"serial": "1", "weight": 2}])
def test_a_resource_type_that_returns_other_outputs_than_it_declares_is_found(
    outputs: Properties, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Disk, "create", lambda *_: ("disk-1", outputs))
    request = provider_pb2.CreateRequest(urn=URN, properties=to_wire({"name": "n", "zone": "a", "sizeGb": 1}))
    with pytest.raises(Aborted, match="declares the outputs"):
        Provider("test", [Disk()]).Create(request, context())


def test_a_refusal_reaches_the_engine_as_a_failed_precondition(provider: Provider) -> None:
    properties = to_wire({"name": "n", "zone": "none", "sizeGb": 1})
    with pytest.raises(Aborted, match=r"^FAILED_PRECONDITION: zone none does not exist$"):
        provider.Create(provider_pb2.CreateRequest(urn=URN, properties=properties), context())


def test_an_unsupported_resource_type_is_refused_by_name(provider: Provider) -> None:
    request = provider_pb2.CheckRequest(urn=URN.replace("disk:Disk", "tape:Tape"), news=to_wire({}))
    with pytest.raises(Aborted, match="test:index/tape:Tape is not supported by"):
        provider.Check(request, context())


def test_a_subclass_keeps_the_inputs_it_names_or_inherits() -> None:
    class FastDiskInputs(DiskInputs):
        iops: int

    class FastDisk(Disk):
        Inputs = FastDiskInputs

    class SameDisk(Disk): ...

    assert FastDisk().names() == {"name", "zone", "sizeGb", "iops"}
    assert SameDisk().names() == {"name", "zone", "sizeGb"}
