"""What is wrong with the settings, in an operator's words: where, what, and what to do."""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, get_args

import pulumi
from pydantic import BaseModel
from pydantic_core import ErrorDetails


class Mistakes(pulumi.RunError):
    """Everything that is wrong with the settings, one mistake a line; Pulumi shows it without a traceback."""

    def __init__(self, lines: list[str]) -> None:
        super().__init__("\n  ".join(["The settings have mistakes:", *lines]))


def of_pydantic(mistake: ErrorDetails, settings: type[BaseModel]) -> Iterator[str]:
    """The lines for one of pydantic's errors."""
    kind, where, given = mistake["type"], mistake["loc"], mistake["input"]
    place = ".".join(str(step) for step in where if step != "[key]")
    if kind == "value_error":
        for line in str(mistake["ctx"]["error"]).splitlines():
            yield f"{place}: {line}"
    elif kind == "missing":
        yield f"{place}: is missing; add it"
    elif kind == "too_short":
        yield f"{place}: is empty; name at least one"
    elif kind == "extra_forbidden":
        known = list(_fields(_section_at(where[:-1], settings)))
        near = difflib.get_close_matches(str(where[-1]), known, n=1)
        hint = f"did you mean {near[0]}?" if near else f"known here: {', '.join(known)}"
        yield f"{place}: is not a known key; {hint}"
    else:
        quotes = "; put it in quotes" if kind == "string_type" and isinstance(given, int | float) else ""
        yield f"{place}: {mistake['msg'].replace('Input should be', 'must be')}; it is {json.dumps(given)}{quotes}"


def _section_at(where: tuple[int | str, ...], settings: type[BaseModel]) -> type[BaseModel]:
    section = settings
    for step in where:
        annotation = _fields(section).get(str(step))
        parts = (annotation, *get_args(annotation))
        # a node's own name is no field: the step before has already led to its section
        section = next((part for part in parts if isinstance(part, type) and issubclass(part, BaseModel)), section)
    return section


def _fields(section: type[BaseModel]) -> dict[str, Any]:
    """A section's keys, as they stand in the file, and their types."""
    return {field.alias or name: field.annotation for name, field in section.model_fields.items()}


def across(given: Mapping[str, Any], default: Mapping[str, Any]) -> Iterator[str]:
    """The lines for what one section says against another.

    `given`: the settings as they stand in the file, right or wrong: whatever is of the wrong kind is told elsewhere,
    and is left alone here, so that one mistake does not hide another. `default`: what holds where nothing is given.
    """

    def value(kind: type, *where: str) -> Any:
        """What is given at a place, or what holds by default; nothing where it is of the wrong kind."""
        found, otherwise = given, default
        for step in where:
            otherwise = otherwise.get(step, {}) if isinstance(otherwise, Mapping) else {}
            found = found.get(step, otherwise) if isinstance(found, Mapping) else otherwise
        return found if isinstance(found, kind) else None

    region = value(str, "aws:region")
    nodes = {name: node for name, node in (value(dict, "nodes") or default["nodes"]).items() if isinstance(node, dict)}
    zones = {node["zone"] for node in nodes.values() if isinstance(node.get("zone"), str)}

    # to letter h: each zone has its own /24 of the network by its letter (components/cloud/aws/network.py)
    for name, node in nodes.items():
        if region and isinstance(node.get("zone"), str) and not re.fullmatch(f"{re.escape(region)}[a-h]", node["zone"]):
            yield f"nodes.{name}.zone: {node['zone']!r} is not a zone of region {region}; write one such as {region}a"

    replica, arbiter = value(int, "gluster", "replica"), value(int, "gluster", "arbiter")
    bricks = None if replica is None or arbiter is None else replica + arbiter
    if bricks is not None and len(nodes) != bricks:
        yield (
            f"nodes: {len(nodes)} named, but the volume needs {bricks} (replica {replica}, arbiter {arbiter}); "
            "name as many, or change gluster.replica"
        )
    if len(zones) < 2:
        yield "nodes: all in one zone, but the load balancer and the database need two; spread them"
    elif len(zones) < min(len(nodes), bricks or 0) and not value(bool, "gluster", "accept_shared_zones"):
        yield (
            f"nodes: in {len(zones)} zones, fewer than the volume's {bricks} bricks; "
            "give each node a zone of its own, or set gluster.accept_shared_zones: true"
        )

    vpc, subnets = value(str, "network", "vpc"), value(dict, "network", "subnets")
    if vpc and (missing := sorted(zones - set(subnets or {}))):
        yield f"network.subnets: no subnet of {vpc} is named for {', '.join(missing)}; add them"
    if vpc and "cidr" in given["network"]:
        yield "network.cidr: is given beside vpc; leave it out to use the existing VPC"
    if subnets and not vpc:
        yield "network.subnets: is given without their VPC; set vpc as well, or leave it out"

    arn = value(str, "balancer", "certificate_arn")
    if arn and region and not re.fullmatch(rf"arn:[a-z-]+:acm:{re.escape(region)}:\d+:certificate/\S+", arn):
        yield (
            f"balancer.certificate_arn: {arn!r} is not a certificate of region {region}; write arn:aws:acm:{region}:…"
        )
    if arn and not value(str, "site", "domain"):
        yield "site.domain: is missing, and HTTPS needs the name that the certificate is for; add it"
    if value(dict, "site", "archive") and value(str, "site", "import", "files"):
        yield "site.import.files: is given beside archive, and both bring WordPress's code; leave one out"
