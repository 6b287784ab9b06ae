"""The services' own models of their calls, from botocore: a stand-in refuses what a service would refuse by its model.

botocore checks required members, types, and the least length and value (botocore/validate.py). The patterns, the enums,
and the greatest length and value of its models are checked here.
"""

from __future__ import annotations

import re
import threading
import unicodedata
from collections.abc import Iterator
from functools import cache
from itertools import groupby
from typing import Any

from botocore.loaders import Loader
from botocore.model import ListShape, MapShape, ServiceModel, Shape, StructureShape
from botocore.validate import ParamValidator

from rehearsal.plugins.protocol import Refused

CODES = {
    "acm": "ValidationException",
    "ec2": "InvalidParameterValue",
    "rds": "InvalidParameterValue",
    "route53": "InvalidInput",
}
"""The error code by which a service refuses a value, where it is not ValidationError."""

NEW = "new"
"""Stands for an id that the cloud has not chosen yet."""

BASIC_PLANE = 0x10000
"""Number of the characters that a pattern's categories know; tags and names are not written in any other."""

_one_at_a_time = threading.Lock()


class Call:
    """One call of a service's API by botocore's names: `Call("ec2", "CreateVpc", CidrBlock="10.20.0.0/16")`.

    Like the provider, it sends no member that is None or an empty list or structure.
    """

    def __init__(self, service: str, operation: str, /, **members: Any) -> None:
        self.service, self.operation = service, operation
        self.members = _sent(members)

    def refuse(self) -> None:
        """Raise `Refused` for the members that the service's model does not allow."""
        if faults := list(self.faults()):
            raise Refused(f"{CODES.get(self.service, 'ValidationError')}: {self.operation}: {'; '.join(faults)}")

    def faults(self) -> Iterator[str]:
        """What the service's model does not allow, one text for each member."""
        shape = model(self.service).operation_model(self.operation).input_shape
        assert shape
        report = ParamValidator().validate(self.members, shape)
        if report.has_errors():
            yield report.generate_report().replace("\n", "; ")
        else:
            yield from excesses(self.members, shape, "")


def _sent(value: Any) -> Any:
    if isinstance(value, dict):
        parts = {name: _sent(part) for name, part in value.items()}
        return {name: part for name, part in parts.items() if part not in (None, [], {})}
    return [_sent(part) for part in value] if isinstance(value, list) else value


def model(service: str) -> ServiceModel:
    """botocore's newest model of a service. EC2's, the largest, takes 70 ms and 23 MB; it is read once, when needed."""
    with _one_at_a_time:
        return _model(service)


@cache
def _model(service: str) -> ServiceModel:
    return ServiceModel(Loader().load_service_model(service, "service-2"), service)


def excesses(value: Any, shape: Shape, name: str) -> Iterator[str]:
    """What botocore leaves unchecked: each value that is too long, too large, in no enum or not of its pattern."""
    if isinstance(shape, StructureShape):
        for member, part in value.items():
            yield from excesses(part, shape.members[member], f"{name}.{member}".lstrip("."))
    elif isinstance(shape, ListShape):
        for number, part in enumerate(value):
            yield from excesses(part, shape.member, f"{name}[{number}]")
    elif isinstance(shape, MapShape):
        for key, part in value.items():
            yield from excesses(key, shape.key, f"{name}.{key}")
            yield from excesses(part, shape.value, f"{name}.{key}")
    limits = shape.metadata
    size, what = (value, "") if isinstance(value, int | float) else (len(value), "a length of ")
    shown = "the value" if limits.get("sensitive") else repr(value)
    if size > limits.get("max", size):
        yield f"{name}: {what}{size} is more than {limits['max']}"
    if value not in limits.get("enum", [value]):
        yield f"{name}: {shown} is none of {listed(limits['enum'])}"
    if "pattern" in limits and not re.fullmatch(translated(limits["pattern"]), value, re.ASCII):
        yield f"{name}: {shown} does not match {limits['pattern']}"


def listed(values: list[str]) -> str:
    """An enum's values; of a long one, such as all instance types, only their number."""
    return ", ".join(values) if len(values) <= 12 else f"the {len(values)} that the service knows"


@cache
def translated(pattern: str) -> str:
    """A pattern of Java, which the models are written for, in Python's form. A category is expected within brackets."""
    return re.sub(r"\\p\{(\w)\}", lambda category: ranges(category[1]), pattern)


@cache
def ranges(category: str) -> str:
    """All characters of a Unicode category, for use within a pattern's brackets."""
    runs = groupby(range(BASIC_PLANE), lambda number: unicodedata.category(chr(number))[0] == category)
    characters = [list(run) for belongs, run in runs if belongs]
    return "".join(rf"\u{run[0]:04x}-\u{run[-1]:04x}" for run in characters)
