"""What a cloud lacks, and an operator whom the firewall refuses, stop the program before any resource is registered."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network
from typing import Any

import pulumi
import pytest

from components.cloud import operator
from components.config.errors import SettingsError
from rehearsal.plugins.aws import offerings
from rehearsal.plugins.protocol import Refused
from tests.unit import graph
from tests.unit.graph import build

ZONES = {"gfs1": "us-east-1b", "gfs2": "us-east-1c", "gfs3": "us-east-1d"}
DIGITALOCEAN = "digitalocean-wordpress"


@pytest.fixture
def registered(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The types of all resources that the program registers, the stack's own aside."""
    types: list[str] = []
    register = graph.Recorder.RegisterResource

    def recorded(self: graph.Recorder, request: Any) -> Any:
        types.append(request.type)
        return register(self, request)

    monkeypatch.setattr(graph.Recorder, "RegisterResource", recorded)
    return types


def lines(stack: str, **changes: Any) -> list[str]:
    with pytest.raises(SettingsError) as error:
        build(stack, **changes)
    return [line.strip() for line in str(error.value).splitlines()[1:]]


def nodes(**types: str) -> dict[str, dict[str, str]]:
    """The nodes of aws-wordpress, some with a type of their own."""
    return {name: {"zone": zone, **({"type": types[name]} if name in types else {})} for name, zone in ZONES.items()}


def test_the_image_fits_the_instance_types_architecture_on_each_node(monkeypatch: pytest.MonkeyPatch) -> None:
    images: list[str] = []
    call = graph.Outputs.call

    def recorded(self: graph.Outputs, args: Any) -> Any:
        if args.token == "aws:ec2/getAmi:getAmi":
            images.append(args.args["filters"][0]["values"][0])
        return call(self, args)

    monkeypatch.setattr(graph.Outputs, "call", recorded)
    build(nodes=nodes(gfs2="t4g.small"))
    assert sorted(images) == ["debian-13-amd64-*", "debian-13-amd64-*", "debian-13-arm64-*"]


def test_one_message_lists_everything_that_amazon_lacks(registered: list[str]) -> None:
    own = nodes(gfs1="t9.small", gfs2="m4.large") | {"gfs3": {"zone": "us-east-1g"}, "gfs4": {"zone": "us-east-1e"}}
    assert lines("aws-wordpress", nodes=own, gluster={"replica": 4}) == [
        (
            "nodes.gfs3.zone: us-east-1g is not available to this account; use one of: "
            "us-east-1a, us-east-1b, us-east-1c, us-east-1d, us-east-1e, us-east-1f"
        ),
        "nodes.gfs1.type: t9.small does not exist in us-east-1; choose another type",
        ("nodes.gfs2.type: m4.large is not of the Nitro generation, which names disks by volume; choose a later type"),
        *(
            f"nodes.{name}: {zone} has no t3.small; choose another type, or one of the zones "
            "us-east-1a, us-east-1b, us-east-1c, us-east-1d, us-east-1f"
            for name, zone in (("gfs3", "us-east-1g"), ("gfs4", "us-east-1e"))
        ),
    ]
    assert set(registered) == {"pulumi:pulumi:Stack"}


@pytest.mark.parametrize(
    ("database", "line"),
    [
        ({"version": "5.6"}, "database.version: us-east-1 has no mysql 5.6; choose another version"),
        (
            {"engine": "mariadb", "version": "11.4.1"},
            "database.version: us-east-1 has no mariadb 11.4.1; choose another version",
        ),
        (
            {"class": "db.t9.small"},
            "database.class: us-east-1 has no db.t9.small with a standby for mysql 8.4.7; choose another class",
        ),
    ],
)
def test_a_database_that_amazon_lacks_is_refused(database: dict[str, str], line: str, registered: list[str]) -> None:
    assert lines("aws-wordpress", database=database) == [line]
    assert set(registered) == {"pulumi:pulumi:Stack"}


def test_a_database_needs_two_zones_that_offer_its_class(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(offerings, "XEN_ZONE", "us-east-1c")
    own = {name: {"zone": zone} for name, zone in (("gfs1", "us-east-1b"), ("gfs2", "us-east-1c"))}
    copies = {"replica": 2, "accept_split_brain_risk": True}
    assert lines("aws-wordpress", nodes=own, gluster=copies, machine={"type": "m4.large"})[-1] == (
        "database.class: the database needs two of the nodes' zones, but db.t4g.small is offered in "
        "us-east-1a, us-east-1b, us-east-1d, us-east-1e, us-east-1f only; choose another class, or other zones"
    )


@pytest.mark.parametrize("token", ["getEngineVersion", "getOrderableDbInstance"])
def test_an_error_of_the_account_is_not_taken_for_a_missing_database(
    token: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    call = graph.Outputs.call

    def refused(self: graph.Outputs, args: Any) -> Any:
        if args.token.endswith(token):
            raise Refused("AccessDenied: not authorized to perform rds:Describe")
        return call(self, args)

    monkeypatch.setattr(graph.Outputs, "call", refused)
    with pytest.raises(Exception, match="AccessDenied"):
        build()


def test_an_image_of_another_architecture_is_refused() -> None:
    image = "ami-0123456789abcdef0"
    assert lines("aws-wordpress", machine={"image": image}, nodes=nodes(gfs2="t4g.small")) == [
        f"machine.image: {image} is for x86_64, t4g.small is not; omit it, or choose another type"
    ]


def test_a_region_without_droplets_is_refused(registered: list[str]) -> None:
    (line,) = lines(DIGITALOCEAN, region="sfo1")
    assert line.startswith("region: sfo1 takes no new droplets; use one of: ams3, blr1, fra1, ")
    assert set(registered) == {"pulumi:pulumi:Stack"}


def test_one_message_lists_everything_that_digitalocean_lacks() -> None:
    roles = {"gfs1": "storage", "gfs2": "storage", "gfs3": "storage", "app1": "web", "app2": "web"}
    own: dict[str, dict[str, str]] = {name: {"role": role} for name, role in roles.items()}
    own["app1"]["size"] = "gpu-h100x1-80gb"
    network = {"ssh_from": ["198.18.0.0/24"], "vpc": "5a4981aa-9653-4bd1-bef5-d6bff52042e4"}
    assert lines(DIGITALOCEAN, region="fra1", machine={"size": "s-9vcpu-9gb"}, nodes=own, network=network) == [
        "machine.size: fra1 has no s-9vcpu-9gb; choose another size or region (doctl compute size list)",
        "nodes.app1.size: fra1 has no gpu-h100x1-80gb; choose another size or region (doctl compute size list)",
        "network.vpc: is in nyc3, not in fra1; choose a VPC of the stack's region",
    ]


@pytest.mark.parametrize("stack", ["aws-wordpress", DIGITALOCEAN])
def test_a_machine_that_the_firewall_refuses_stops_an_update(
    stack: str, registered: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(operator, "source_address", lambda: IPv4Address("9.9.9.9"))
    (line,) = lines(stack)
    assert line == (
        "network.ssh_from: does not admit 9.9.9.9, the address of this machine, which connects to the nodes; "
        "add 9.9.9.9/32"
    )
    assert set(registered) == {"pulumi:pulumi:Stack"}


@pytest.mark.parametrize(
    ("address", "preview", "refused"),
    [
        ("9.9.9.9", False, True),
        ("9.9.9.9", True, False),  # a preview connects to no node
        ("8.8.8.8", False, False),  # admitted
        ("192.168.1.5", False, False),  # behind NAT
        (None, False, False),  # no route
    ],
)
def test_only_a_public_address_outside_is_refused(
    address: str | None, preview: bool, refused: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(operator, "source_address", lambda: IPv4Address(address) if address else None)
    monkeypatch.setattr(pulumi.runtime, "is_dry_run", lambda: preview)
    assert bool(list(operator.ssh_from_errors([IPv4Network("198.51.100.0/24"), IPv4Network("8.8.8.0/24")]))) == refused
