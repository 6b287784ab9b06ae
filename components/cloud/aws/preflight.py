"""Checks that ask Amazon, before anything is made."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

import pulumi_aws as aws
from pulumi_aws import ec2, rds

from components.cloud.aws.database import STORAGE_TYPE
from components.cloud.aws.settings import AwsSettings
from components.cloud.operator import ssh_from_errors
from components.config.errors import SettingsError

DEBIAN_NAMES = {"x86_64": "amd64", "arm64": "arm64"}
"""Debian's name of each architecture, by Amazon's."""

NOT_OFFERED = re.compile("no RDS|InvalidParameterValue")
"""Errors for what RDS does not have (terraform-provider-aws, internal/service/rds, engine_version_data_source.go and
orderable_instance_data_source.go); every other error is one of the account or the connection.
"""


def architectures(settings: AwsSettings, *, database: bool) -> Mapping[str, str]:
    """Debian's name of the architecture of each instance type in use.

    `database`: whether the site needs one. Raises SettingsError, with all errors, for zones, types, a version and a
    class of the database that do not exist or do not fit, and for a machine that the nodes' firewall would not admit.
    """
    offered = zones_by_type(settings)
    types = {
        name: ec2.get_instance_type(instance_type=name, region=settings.region)
        for name, zones in offered.items()
        if zones
    }
    lines = [
        *ssh_from_errors(settings.network.ssh_from),
        *zone_errors(settings),
        *(line for name in settings.nodes for line in type_errors(settings, name, offered, types)),
        *image_errors(settings, types),
        *(database_errors(settings) if database else ()),
    ]
    if lines:
        # an error of `machine.type` is one for each node that has it
        raise SettingsError(list(dict.fromkeys(lines)))
    return {
        name: DEBIAN_NAMES[next(each for each in found.supported_architectures if each in DEBIAN_NAMES)]
        for name, found in types.items()
    }


def zones_by_type(settings: AwsSettings) -> Mapping[str, list[str]]:
    """The zones that offer each instance type in use: none for a type that does not exist."""
    offered: dict[str, list[str]] = {settings.machine_type(name): [] for name in settings.nodes}
    answer = ec2.get_instance_type_offerings(
        location_type="availability-zone",
        filters=[ec2.GetInstanceTypeOfferingsFilterArgs(name="instance-type", values=list(offered))],
        region=settings.region,
    )
    for name, zone in zip(answer.instance_types, answer.locations, strict=True):
        offered[name].append(zone)
    return offered


def zone_errors(settings: AwsSettings) -> Iterator[str]:
    """Yield an error line for each node in a zone that the account does not have."""
    zones = aws.get_availability_zones(state="available", region=settings.region).names
    for name, node in settings.nodes.items():
        if node.zone not in zones:
            yield f"nodes.{name}.zone: {node.zone} is not available to this account; use one of: {', '.join(zones)}"


def type_errors(
    settings: AwsSettings,
    name: str,
    offered: Mapping[str, list[str]],
    types: Mapping[str, ec2.GetInstanceTypeResult],
) -> Iterator[str]:
    """Yield an error line for each reason for which a node's instance type does not fit."""
    machine_type, zone = settings.machine_type(name), settings.nodes[name].zone
    place = f"nodes.{name}.type" if settings.nodes[name].type else "machine.type"
    zones = offered[machine_type]
    if not zones:
        yield f"{place}: {machine_type} does not exist in {settings.region}; choose another type"
        return
    if zone not in zones:
        yield (
            f"nodes.{name}: {zone} has no {machine_type}; choose another type, or one of the zones "
            f"{', '.join(sorted(zones))}"
        )
    found = types[machine_type]
    if found.hypervisor != "nitro" and not found.bare_metal:
        yield (
            f"{place}: {machine_type} is not of the Nitro generation, which names disks by volume; choose a later type"
        )
    if not DEBIAN_NAMES.keys() & set(found.supported_architectures):
        yield f"{place}: {machine_type} has no architecture of Debian's images; choose another type"


def image_errors(settings: AwsSettings, types: Mapping[str, ec2.GetInstanceTypeResult]) -> Iterator[str]:
    """Yield an error line for each instance type that cannot run the image of the settings."""
    image = settings.machine.image
    if image:
        architecture = ec2.get_ami(
            filters=[ec2.GetAmiFilterArgs(name="image-id", values=[image])], region=settings.region
        ).architecture
        for name, found in types.items():
            if architecture not in found.supported_architectures:
                yield f"machine.image: {image} is for {architecture}, {name} is not; omit it, or choose another type"


def database_errors(settings: AwsSettings) -> Iterator[str]:
    """Yield an error line for a version of the database, or a class for it, that the region or the zones lack."""
    config, region = settings.database, settings.region
    try:
        version = rds.get_engine_version(
            engine=config.engine, version=config.engine_version, latest=True, region=region
        ).version_actual
    except Exception as error:
        if not NOT_OFFERED.search(str(error)):
            raise
        yield f"database.version: {region} has no {config.engine} {config.engine_version}; choose another version"
        return
    try:
        offered = rds.get_orderable_db_instance(
            engine=config.engine,
            engine_version=version,
            instance_class=config.instance_class,
            # one of several offers that differ in what is not asked for
            preferred_instance_classes=[config.instance_class],
            storage_type=STORAGE_TYPE,
            supports_multi_az=True,
            region=region,
        )
    except Exception as error:
        if not NOT_OFFERED.search(str(error)):
            raise
        yield (
            f"database.class: {region} has no {config.instance_class} with a standby for {config.engine} {version}; "
            "choose another class"
        )
        return
    zones = {node.zone for node in settings.nodes.values()} & set(offered.availability_zones)
    if len(zones) < 2:
        yield (
            f"database.class: the database needs two of the nodes' zones, but {config.instance_class} is offered in "
            f"{', '.join(sorted(offered.availability_zones))} only; choose another class, or other zones"
        )
