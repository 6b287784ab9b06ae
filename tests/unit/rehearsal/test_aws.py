"""AWS's stand-ins refuse, name and replace resources as AWS does."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from unittest.mock import Mock, call

import pytest

from rehearsal.plugins import aws
from rehearsal.plugins.aws.compute import AMI
from rehearsal.preview.paper import PaperRegion
from rehearsal.region.object_storage import Address, BucketNotEmpty, ObjectStorage, Statement
from tests.stand_in import Engine, Rejected, Resource

DATABASE: dict[str, Any] = {
    "engine": "mysql", "instanceClass": "db.t4g.small", "allocatedStorage": 20, "dbName": "wordpress",
    "username": "wordpress", "password": "secret-secret", "dbSubnetGroupName": "database", "vpcSecurityGroupIds": [],
    "parameterGroupName": "database",
}  # fmt: skip


@pytest.fixture
def region() -> PaperRegion:
    return PaperRegion("us-east-1")


@pytest.fixture
def engine(region: PaperRegion) -> Engine:
    return Engine(aws.provider(region))


@pytest.fixture
def subnet(engine: Engine) -> Resource:
    vpc = engine.create("Vpc", "site", cidrBlock="10.20.0.0/16")
    return engine.create("Subnet", "a", vpcId=vpc.id, cidrBlock="10.20.0.0/24", availabilityZone="us-east-1a")


@pytest.fixture
def group(engine: Engine, subnet: Resource) -> Resource:
    return engine.create("SecurityGroup", "node", vpcId=subnet.inputs["vpcId"])


def instance(engine: Engine, subnet: Resource, group: Resource, **inputs: Any) -> Resource:
    own = {
        "ami": AMI, "instanceType": "t3.small", "subnetId": subnet.id, "vpcSecurityGroupIds": [group.id],
        "associatePublicIpAddress": True,
    }  # fmt: skip
    return engine.create("aws:ec2/instance:Instance", "gfs1", **own | inputs)


def test_an_elastic_ip_takes_the_place_of_the_instance_s_public_address(
    engine: Engine, region: PaperRegion, subnet: Resource, group: Resource
) -> None:
    machine = instance(engine, subnet, group)
    address = engine.create("Eip", "gfs1", domain="vpc")
    port = region.machines[machine.id].endpoint.ports[0]
    assert port.public == machine.outputs["publicIp"] != address.outputs["publicIp"]
    association = engine.create("EipAssociation", "gfs1", allocationId=address.id, instanceId=machine.id)
    assert port.public == association.outputs["publicIp"] == address.outputs["publicIp"]
    assert association.outputs["privateIpAddress"] == machine.outputs["privateIp"]
    with pytest.raises(Rejected, match="is in use by eipassoc-"):
        engine.delete(address)
    engine.delete(association)
    assert port.public not in (machine.outputs["publicIp"], address.outputs["publicIp"])
    engine.delete(address)


def test_an_elastic_ip_has_one_instance_and_an_account_five(engine: Engine, subnet: Resource, group: Resource) -> None:
    machine = instance(engine, subnet, group)
    first, *_ = [engine.create("Eip", f"gfs{number}", domain="vpc") for number in range(1, 6)]
    association = engine.create("EipAssociation", "gfs1", allocationId=first.id, instanceId=machine.id)
    with pytest.raises(Rejected, match="AlreadyAssociated"):
        engine.create("EipAssociation", "gfs2", allocationId=first.id, instanceId=machine.id)
    with pytest.raises(Rejected, match="AddressLimitExceeded"):
        engine.create("Eip", "gfs6", domain="vpc")
    assert engine.difference(association, instanceId="i-00000000000000000").replaces == ["instanceId"]


def test_only_burstable_types_have_cpu_credits(engine: Engine, subnet: Resource, group: Resource) -> None:
    standard = {"creditSpecification": {"cpuCredits": "standard"}}
    machine = instance(engine, subnet, group, **standard)
    assert engine.difference(machine, creditSpecification={"cpuCredits": "unlimited"}).replaces == []
    with pytest.raises(Rejected, match=r"m7i\.large has no CPU credits"):
        instance(engine, subnet, group, instanceType="m7i.large", **standard)


@pytest.mark.parametrize(
    ("inputs", "words"),
    [
        ({"instanceType": "t4g.small"}, "The architecture 'arm64' .* does not match"),
        ({"instanceType": "t9.small"}, "InstanceType: 't9.small' is none of"),
        ({"instanceType": "t3.gigantic"}, "InstanceType: 't3.gigantic' is none of"),
    ],
)
def test_an_instance_type_that_ec2_would_refuse_is_refused(
    engine: Engine, subnet: Resource, group: Resource, inputs: dict[str, Any], words: str
) -> None:
    with pytest.raises(Rejected, match=words):
        instance(engine, subnet, group, **inputs)


def test_a_zone_has_not_every_type(engine: Engine, subnet: Resource, group: Resource) -> None:
    old = engine.create(
        "Subnet", "e", vpcId=subnet.inputs["vpcId"], cidrBlock="10.20.4.0/24", availabilityZone="us-east-1e"
    )
    with pytest.raises(Rejected, match=r"Unsupported: t3\.small is not supported in us-east-1e"):
        instance(engine, old, group)
    with pytest.raises(Rejected, match="availability zone us-east-1g does not exist"):
        engine.create(
            "Subnet", "g", vpcId=subnet.inputs["vpcId"], cidrBlock="10.20.6.0/24", availabilityZone="us-east-1g"
        )


def test_each_architecture_has_an_image(engine: Engine) -> None:
    for ours, theirs in (("amd64", "x86_64"), ("arm64", "arm64")):
        filters = [{"name": "name", "values": [f"debian-13-{ours}-*"]}]
        assert engine.invoke("aws:ec2/getAmi:getAmi", filters=filters)["architecture"] == theirs
    with pytest.raises(Rejected, match="2 images are called"):
        engine.invoke("aws:ec2/getAmi:getAmi", filters=[{"name": "name", "values": ["debian-13-*"]}])


POLICY = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Action": ["s3:GetObject"], "Resource": "arn:aws:s3:::shop/*"}],
    }
)


@pytest.fixture
def storage(region: PaperRegion) -> Mock:
    """The object storage of the region."""
    storage = Mock(spec=ObjectStorage)
    region.object_storage = Mock(return_value=storage)  # type: ignore[method-assign]
    return storage


def test_a_bucket_keeps_its_objects_and_their_versions(engine: Engine, region: PaperRegion, storage: Mock) -> None:
    bucket = engine.create("aws:s3/bucket:Bucket", "backups", bucket="shop")
    region.object_storage.assert_called_with(  # type: ignore[attr-defined]
        Address("https://s3.us-east-1.amazonaws.com", "us-east-1", "s3.dualstack.us-east-1.amazonaws.com")
    )
    assert bucket.outputs["bucketRegionalDomainName"] == "shop.s3.us-east-1.amazonaws.com"
    inputs = {"bucket": bucket.id, "versioningConfiguration": {"status": "Enabled"}}
    versioning = engine.create("aws:s3/bucketVersioning:BucketVersioning", "backups", **inputs)
    engine.delete(versioning)
    assert storage.mock_calls == [
        call.new_bucket("shop"), call.set_versioning("shop", "Enabled"), call.set_versioning("shop", "Suspended"),
    ]  # fmt: skip
    storage.delete_bucket.side_effect = BucketNotEmpty
    with pytest.raises(Rejected, match="BucketNotEmpty"):
        engine.delete(bucket)
    with pytest.raises(Rejected, match="NoSuchBucket"):
        engine.create("aws:s3/bucketVersioning:BucketVersioning", "other", **inputs | {"bucket": "other"})
    with pytest.raises(Rejected, match="InvalidBucketName"):
        engine.create("aws:s3/bucket:Bucket", "wrong", bucket="Shop")


def test_an_instance_has_the_rights_of_its_role(
    engine: Engine, region: PaperRegion, storage: Mock, subnet: Resource, group: Resource
) -> None:
    roles: list[tuple[str, str | None]] = []
    region.set_role = lambda key, role: roles.append((key, role))  # type: ignore[method-assign]
    role = engine.create("Role", "backups", name="backups", assumeRolePolicy="{}")
    policy = engine.create("RolePolicy", "backups", name="objects", role=role.id, policy=POLICY)
    account = region.roles["backups"]
    assert storage.mock_calls == [call.permit("shop", [Statement(account, ["s3:GetObject"], "arn:aws:s3:::shop/*")])]
    profile = engine.create("InstanceProfile", "backups", role=role.id)
    machine = instance(engine, subnet, group, iamInstanceProfile=profile.id)
    engine.update(machine, iamInstanceProfile=None)
    assert roles == [(machine.id, "backups"), (machine.id, None)]
    engine.delete(policy)
    assert storage.mock_calls[-1] == call.permit("shop", [])
    with pytest.raises(Rejected, match=r"iamInstanceProfile\.name is invalid"):
        instance(engine, subnet, group, iamInstanceProfile="other")
    for wrong in (POLICY.replace("s3:Get", "ec2:Get"), POLICY.replace("Allow", "Deny")):
        with pytest.raises(Rejected, match="is not supported by the rehearsal"):
            engine.create("RolePolicy", "other", name="other", role=role.id, policy=wrong)
    for what, inputs in (("RolePolicy", {"policy": POLICY}), ("InstanceProfile", {})):
        with pytest.raises(Rejected, match="NoSuchEntity"):
            engine.create(what, "lost", role="nobody", **inputs)


def test_a_disk_leaves_its_final_snapshot(engine: Engine, region: PaperRegion) -> None:
    kept: list[str] = []
    region.snapshot_disk = kept.append  # type: ignore[method-assign, assignment]
    region.remove_disk = lambda key: None  # type: ignore[method-assign]
    inputs = {"availabilityZone": "us-east-1a", "size": 20}
    disks = [engine.create("aws:ebs/volume:Volume", "data", **inputs, finalSnapshot=final) for final in (True, False)]
    for disk in disks:
        engine.delete(disk)
    assert kept == [disks[0].id]


def test_a_final_snapshot_s_name_can_be_used_once(engine: Engine, region: PaperRegion, tmp_path: Path) -> None:
    region.new_snapshot = tmp_path.joinpath  # type: ignore[method-assign, assignment]
    vpc = engine.create("Vpc", "site", cidrBlock="10.20.0.0/16")
    subnets = [
        engine.create("Subnet", zone, vpcId=vpc.id, cidrBlock=f"10.20.{number}.0/24", availabilityZone=zone).id
        for number, zone in enumerate(("us-east-1a", "us-east-1b"))
    ]
    inputs = DATABASE | {
        "dbSubnetGroupName": engine.create("SubnetGroup", "database", subnetIds=subnets).id,
        "parameterGroupName": engine.create("ParameterGroup", "database", family="mysql8.4").id,
        "finalSnapshotIdentifier": "final",
    }
    database = engine.create("aws:rds/instance:Instance", "database", **inputs)
    region.databases[database.id] = Mock()
    (tmp_path / "final").touch()
    with pytest.raises(Rejected, match="DBSnapshotAlreadyExists: final exists already"):
        engine.delete(database)
    engine.delete(engine.update(database, finalSnapshotIdentifier="final-2"))
    assert database.id not in region.databases


@pytest.mark.parametrize(
    ("inputs", "words"),
    [
        ({"maxAllocatedStorage": 21}, "less than 10 % above"),
        ({"engine": "mariadb", "engineLifecycleSupport": "open-source-rds-extended-support"}, "PostgreSQL only"),
        ({"engineLifecycleSupport": "none"}, "engineLifecycleSupport: .*Input should be"),
    ],
)
def test_a_database_that_rds_would_refuse_is_refused(engine: Engine, inputs: dict[str, Any], words: str) -> None:
    with pytest.raises(Rejected, match=words):
        engine.create("aws:rds/instance:Instance", "database", **DATABASE | inputs)
