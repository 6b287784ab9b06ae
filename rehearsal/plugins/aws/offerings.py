"""What Amazon offers: zones, instance types with their processors, and versions and classes of databases.

A part of the truth: the families of instance types that people use for websites, and one zone without the later ones.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from rehearsal.plugins.protocol import Properties, Refused

LETTERS = {
    "us-east-1": "abcdef", "us-west-1": "ac", "us-west-2": "abcd", "ap-northeast-1": "acd", "ca-central-1": "abd",
}  # fmt: skip
"""Letters of a region's zones, where they are not a, b and c."""
XEN = frozenset({"t2", "m4", "c4", "r4"})
"""Families from before Nitro."""
NITRO = frozenset({
    "t3", "t3a", "t4g", "m5", "m5a", "m6a", "m6g", "m6i", "m7a", "m7g", "m7i", "m8g", "c5", "c6a", "c6g", "c6i", "c7a",
    "c7g", "c7i", "c8g", "r5", "r6a", "r6g", "r6i", "r7g", "r7i", "r8g",
})  # fmt: skip
XEN_ZONE = "us-east-1e"
"""A zone in which Amazon offers no Nitro type ("Your requested instance type (t3.micro) is not supported")."""
SIZE = re.compile(r"nano|micro|small|medium|large|\d*xlarge|metal(-\d+xl)?")

DATABASES = {"mysql": ("8.0.43", "8.4.7"), "mariadb": ("10.11.16", "11.4.10", "11.8.6")}
"""A version of each major one (Amazon RDS user guide, "MySQL on Amazon RDS versions" and its sibling for MariaDB)."""
DATABASE_FAMILIES = frozenset({"t3", "t4g", "m5", "m6g", "m6i", "m7g", "m7i", "r5", "r6g", "r6i", "r7g", "r7i"})
"""Families of classes with a standby (Amazon RDS user guide, "DB instance classes")."""


def zones(region: str) -> list[str]:
    """The zones of a region."""
    return [f"{region}{letter}" for letter in LETTERS.get(region, "abc")]


def architecture(instance_type: str) -> str:
    """Amazon's name of an instance type's architecture. Raises `Refused` for a type that does not exist."""
    family, _, size = instance_type.partition(".")
    if family not in XEN | NITRO or not SIZE.fullmatch(size):
        raise Refused(f"InvalidInstanceType: The following supplied instance types do not exist: [{instance_type}]")
    return "arm64" if family.endswith("g") else "x86_64"


def offered_in(instance_type: str, zone: str) -> bool:
    """Whether a zone has an instance type."""
    try:
        architecture(instance_type)
    except Refused:
        return False
    return zone != XEN_ZONE or instance_type.partition(".")[0] in XEN


def functions(region: str) -> dict[str, Callable[[Properties], Properties]]:
    """The provider's functions that answer for a region, by token."""

    def get_availability_zones(arguments: Properties) -> Properties:
        return arguments | {
            "id": region, "region": region, "names": zones(region), "groupNames": [region],
            "zoneIds": [f"{region}-az{number}" for number, _ in enumerate(zones(region), start=1)],
        }  # fmt: skip

    def get_instance_type_offerings(arguments: Properties) -> Properties:
        if arguments.get("locationType") != "availability-zone":
            raise Refused("getInstanceTypeOfferings: only offerings by availability-zone are supported")
        wanted = {item["name"]: item["values"] for item in arguments.get("filters", [])}
        if wanted.keys() != {"instance-type"}:
            raise Refused("getInstanceTypeOfferings: only the filter instance-type is supported")
        found = [(name, zone) for name in wanted["instance-type"] for zone in zones(region) if offered_in(name, zone)]
        return arguments | {
            "id": region, "region": region, "instanceTypes": [name for name, _ in found],
            "locations": [zone for _, zone in found], "locationTypes": ["availability-zone"] * len(found),
        }  # fmt: skip

    def get_instance_type(arguments: Properties) -> Properties:
        name = arguments["instanceType"]
        architectures = [architecture(name)]
        family, _, size = name.partition(".")
        bare_metal = size.startswith("metal")
        hypervisor = "" if bare_metal else "xen" if family in XEN else "nitro"
        return arguments | {
            "id": name, "region": region, "supportedArchitectures": architectures, "hypervisor": hypervisor,
            "bareMetal": bare_metal, "burstablePerformanceSupported": family.startswith("t"),
        }  # fmt: skip

    def get_engine_version(arguments: Properties) -> Properties:
        wanted = arguments["version"]
        found = [
            version
            for version in DATABASES.get(arguments["engine"], ())
            if f"{version}.".startswith(f"{wanted}.") and arguments["latest"]
        ]
        if not found:
            raise Refused("no RDS engine versions match the criteria")
        return arguments | {"id": found[-1], "region": region, "versionActual": found[-1]}

    def get_orderable_db_instance(arguments: Properties) -> Properties:
        prefix, _, instance_type = arguments["instanceClass"].partition(".")
        family, _, size = instance_type.partition(".")
        if arguments["engineVersion"] not in DATABASES[arguments["engine"]]:
            raise Refused("no RDS Orderable DB Instance Options found matching criteria; try different search")
        if prefix != "db" or family not in DATABASE_FAMILIES or not SIZE.fullmatch(size):
            raise Refused(f"InvalidParameterValue: Invalid DB Instance class: {arguments['instanceClass']}")
        return arguments | {
            "id": arguments["instanceClass"], "region": region,
            "availabilityZones": [zone for zone in zones(region) if zone != XEN_ZONE], "multiAzCapable": True,
        }  # fmt: skip

    return {
        "aws:rds/getEngineVersion:getEngineVersion": get_engine_version,
        "aws:rds/getOrderableDbInstance:getOrderableDbInstance": get_orderable_db_instance,
        "aws:index/getAvailabilityZones:getAvailabilityZones": get_availability_zones,
        "aws:ec2/getInstanceTypeOfferings:getInstanceTypeOfferings": get_instance_type_offerings,
        "aws:ec2/getInstanceType:getInstanceType": get_instance_type,
    }
