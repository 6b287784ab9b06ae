"""A machine or a disk that is lost for good: what the stand-ins find afterwards, and which deletions succeed."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from rehearsal.plugins import aws, digitalocean
from rehearsal.plugins.aws import compute
from rehearsal.preview.paper import PaperMachine, PaperRegion
from rehearsal.region.faults import FaultInjector
from tests.stand_in import Engine, Rejected, Resource


@dataclass
class Node:
    """A node on paper: its machine, its disk, and what refers to the machine."""

    engine: Engine
    region: PaperRegion
    faults: FaultInjector
    machine: Resource
    volume: Resource
    attachment: Resource
    others: list[Resource]
    """The other resources that end with the machine."""
    stay: list[Resource]
    """Resources that refer to the machine or that it refers to, and outlive it."""


def amazon(**attachment: Any) -> Node:
    region = PaperRegion("us-east-1")
    engine = Engine(aws.provider(region))
    vpc = engine.create("Vpc", "site", cidrBlock="10.20.0.0/16")
    subnet = engine.create("Subnet", "a", vpcId=vpc.id, cidrBlock="10.20.0.0/24", availabilityZone="us-east-1a")
    group = engine.create("SecurityGroup", "node", vpcId=vpc.id)
    machine = engine.create(
        "aws:ec2/instance:Instance", "gfs1", ami=compute.AMI, instanceType="t3.small", subnetId=subnet.id,
        vpcSecurityGroupIds=[group.id], associatePublicIpAddress=True, tags={"Name": "gfs1"},
    )  # fmt: skip
    volume = engine.create("aws:ebs/volume:Volume", "gfs1-data", availabilityZone="us-east-1a", size=20, type="gp3")
    attached = engine.create(
        "VolumeAttachment", "gfs1-data", deviceName="/dev/xvdf", instanceId=machine.id, volumeId=volume.id, **attachment
    )
    address = engine.create("Eip", "gfs1", domain="vpc")
    association = engine.create("EipAssociation", "gfs1", allocationId=address.id, instanceId=machine.id)
    targets = engine.create("TargetGroup", "nodes", port=80, vpcId=vpc.id)
    target = engine.create("TargetGroupAttachment", "gfs1", targetGroupArn=targets.id, targetId=machine.id)
    others, stay = [association, target], [address, targets, subnet]
    return Node(engine, region, FaultInjector(region), machine, volume, attached, others, stay)


def ocean() -> Node:
    region = PaperRegion("nyc3")
    engine = Engine(digitalocean.provider(region))
    vpc = engine.create("Vpc", "network", name="prod", region="nyc3", ipRange="10.30.0.0/16")
    machine = engine.create(
        "Droplet", "gfs1", name="gfs1", image="debian-13-x64", region="nyc3", size="s-1vcpu-2gb", vpcUuid=vpc.id,
        gracefulShutdown=True,
    )  # fmt: skip
    volume = engine.create("Volume", "gfs1-data", region="nyc3", size=10)
    attached = engine.create("VolumeAttachment", "gfs1-data", dropletId=int(machine.id), volumeId=volume.id)
    balancer = engine.create(
        "LoadBalancer", "balancer", name="prod", region="nyc3", vpcUuid=vpc.id, dropletIds=[int(machine.id)],
        forwardingRules=[{"entryProtocol": "http", "entryPort": 80, "targetProtocol": "http", "targetPort": 80}],
        healthcheck={"protocol": "http", "port": 80, "path": "/healthz"},
    )  # fmt: skip
    return Node(engine, region, FaultInjector(region), machine, volume, attached, [], [vpc, balancer])


@pytest.fixture(params=[amazon, ocean])
def node(request: pytest.FixtureRequest) -> Node:
    make: Callable[[], Node] = request.param
    return make()


def targets(region: PaperRegion) -> list[str]:
    """The machines behind the load balancers, by id."""
    groups = [
        *region.target_groups.values(),
        *(group for one in region.balancers.values() for group in one.groups.values()),
    ]
    return [target for group in groups for target in group.targets]


def test_a_refresh_finds_no_lost_machine_and_its_disk_free(node: Node) -> None:
    gone = [node.machine, node.attachment, *node.others]
    assert all(map(node.engine.exists, gone))
    assert targets(node.region) == [node.machine.id]
    node.faults.lose_machine("gfs1")
    assert not any(map(node.engine.exists, gone))
    assert all(map(node.engine.exists, [node.volume, *node.stay]))
    assert targets(node.region) == []
    assert not node.region.machines
    assert node.volume.id in node.region.disks
    with pytest.raises(KeyError, match="no machine is called gfs1"):
        node.faults.lose_machine("gfs1")
    # the disk is free for another machine or for its deletion
    node.engine.delete(node.volume)
    assert not node.region.disks


def test_a_refresh_finds_no_lost_disk_and_a_machine_that_runs_on(node: Node) -> None:
    machine = node.region.machines[node.machine.id]
    assert machine.attachments
    node.faults.lose_disks("gfs1")
    assert not any(map(node.engine.exists, [node.volume, node.attachment]))
    assert all(map(node.engine.exists, [node.machine, *node.others, *node.stay]))
    assert not node.region.disks
    assert not machine.attachments


def test_a_deletion_shuts_the_machine_down_and_frees_its_disk(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    ends: list[str] = []
    monkeypatch.setattr(PaperMachine, "shut_down", lambda machine: ends.append("shut down"))
    monkeypatch.setattr(PaperMachine, "destroy", lambda machine: ends.append("destroyed"))
    node.engine.delete(node.machine)
    assert ends == ["shut down", "destroyed"]
    assert not any(map(node.engine.exists, [node.machine, node.attachment, *node.others]))
    node.engine.delete(node.volume)


def test_amazon_takes_what_is_gone_for_deleted() -> None:
    node = amazon()
    node.faults.lose_machine("gfs1")
    for resource in (node.attachment, *node.others, node.machine, node.volume, node.volume):
        node.engine.delete(resource)
    assert all(map(node.engine.exists, node.stay))


def test_amazon_detaches_no_lost_volume_and_stops_no_lost_instance() -> None:
    node = amazon()
    node.faults.lose_disks("gfs1")
    with pytest.raises(Rejected, match=r"InvalidVolume\.NotFound"):
        node.engine.delete(node.attachment)
    node = amazon(stopInstanceBeforeDetaching=True)
    node.faults.lose_machine("gfs1")
    with pytest.raises(Rejected, match="IncorrectInstanceState"):
        node.engine.delete(node.attachment)


def test_amazon_deletes_a_volume_once_its_instance_is_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    node = amazon()
    monkeypatch.setattr(compute, "IN_USE_LIMIT", 0)
    with pytest.raises(Rejected, match="is in use by vai-"):
        node.engine.delete(node.volume)
    monkeypatch.setattr(compute, "IN_USE_LIMIT", 10)
    termination = threading.Timer(0.3, node.engine.delete, [node.machine])
    termination.start()
    node.engine.delete(node.volume)
    termination.join()
    assert not node.engine.exists(node.volume)


def test_digitalocean_deletes_nothing_that_is_gone() -> None:
    node = ocean()
    with pytest.raises(Rejected, match="is in use by"):
        node.engine.delete(node.volume)
    node.faults.lose_disks("gfs1")
    node.faults.lose_machine("gfs1")
    for resource in (node.attachment, node.machine, node.volume):
        with pytest.raises(Rejected, match="404 The resource you were accessing could not be found"):
            node.engine.delete(resource)


def test_a_lost_resource_is_not_changed(node: Node) -> None:
    node.faults.lose_machine("gfs1")
    with pytest.raises(Rejected, match=f"{node.machine.id} does not exist"):
        node.engine.update(
            node.machine, tags={"Name": "gfs2"} if isinstance(node.machine.inputs.get("tags"), dict) else ["a"]
        )
