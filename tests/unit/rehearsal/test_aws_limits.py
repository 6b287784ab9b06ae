"""AWS's stand-ins refuse what an operator would be refused there: limits of names, sizes and numbers.

What the services' own models refuse: test_api_model.py.
"""

from __future__ import annotations

import base64
from typing import Any

import pytest

from rehearsal.preview import paper
from rehearsal.preview.paper import PaperRegion
from tests.stand_in import Engine, Rejected, Resource

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJnq0q6jGpBvSOmtq6bQmGNrXV0pZvKBq7LQXqUXvAbc"
INSTANCE = "aws:ec2/instance:Instance"
DATABASE = "aws:rds/instance:Instance"


@pytest.fixture
def engine() -> Engine:
    """A region on paper, with the types that exist there only."""
    amazon, *_ = paper.providers(PaperRegion("us-east-1"))
    return Engine(amazon)


@pytest.fixture
def vpc(engine: Engine) -> Resource:
    return engine.create("Vpc", "site", cidrBlock="10.20.0.0/16")


@pytest.fixture
def subnets(engine: Engine, vpc: Resource) -> list[Resource]:
    return [
        engine.create(
            "Subnet",
            f"site-{letter}",
            vpcId=vpc.id,
            cidrBlock=f"10.20.{third}.0/24",
            availabilityZone=f"us-east-1{letter}",
        )
        for third, letter in enumerate("ab")
    ]


@pytest.fixture
def group(engine: Engine, vpc: Resource) -> Resource:
    return engine.create("SecurityGroup", "node", vpcId=vpc.id)


def instance(engine: Engine, subnets: list[Resource], **change: Any) -> Resource:
    inputs = {
        "ami": "ami-00000000000000000", "instanceType": "t3.small", "subnetId": subnets[0].id,
        "vpcSecurityGroupIds": [], "tags": {"Name": "gfs1"},
    }  # fmt: skip
    return engine.create(INSTANCE, "gfs1", **inputs | change)


def balancer(engine: Engine, subnets: list[Resource], **change: Any) -> Resource:
    inputs = {"name": "balancer", "securityGroups": [], "subnets": [subnet.id for subnet in subnets]}
    return engine.create("LoadBalancer", "balancer", **inputs | change)


def target_group(engine: Engine, vpc: Resource, **change: Any) -> Resource:
    return engine.create("TargetGroup", "nodes", **{"name": "nodes", "port": 80, "vpcId": vpc.id} | change)


def database(engine: Engine, subnets: list[Resource], **change: Any) -> Resource:
    group = engine.create("SubnetGroup", "database", subnetIds=[subnet.id for subnet in subnets])
    parameters = engine.create("ParameterGroup", "database", family="mysql8.4")
    inputs = {
        "engine": "mysql", "instanceClass": "db.t4g.small", "allocatedStorage": 20, "storageType": "gp3",
        "dbName": "wordpress", "username": "wordpress", "password": "a" * 32, "vpcSecurityGroupIds": [],
        "dbSubnetGroupName": group.outputs["name"], "parameterGroupName": parameters.outputs["name"],
    }  # fmt: skip
    return engine.create(DATABASE, "database", **inputs | change)


def encoded(size: int) -> str:
    return base64.b64encode(b"x" * size).decode()


@pytest.mark.parametrize(
    "change",
    [
        {"userDataBase64": encoded(16384)},
        {"vpcSecurityGroupIds": [f"group-{number}" for number in range(5)]},
        {"tags": {f"tag{number}": "x" * 256 for number in range(50)}},
        {"secondaryPrivateIps": ["10.20.0.250", "10.20.0.251", "10.20.0.252"]},
        {"rootBlockDevice": {"volumeType": "gp3", "volumeSize": 65536}},
    ],
)
def test_an_instance_at_a_limit_is_made(engine: Engine, subnets: list[Resource], change: dict[str, Any]) -> None:
    assert instance(engine, subnets, **change).id


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"userDataBase64": encoded(16385)}, "InvalidParameterValue: user data is 16385 bytes; the limit is 16384"),
        ({"userData": "x" * 16385}, "user data is 16385 bytes"),
        ({"userData": "x", "userDataBase64": "eA=="}, "userData: .* conflicts with userDataBase64"),
        ({"instanceType": "t9.small"}, "InstanceType: 't9.small' is none of"),
        ({"vpcSecurityGroupIds": ["sg"] * 6}, "SecurityGroupsPerInterfaceLimitExceeded: 6 groups; 5 are allowed"),
        ({"tags": {str(number): "" for number in range(51)}}, "TagLimitExceeded: 51 tags; 50 are allowed"),
        ({"tags": {"k" * 129: ""}}, "a key has 1 to 128 characters"),
        ({"tags": {"": ""}}, "a key has 1 to 128 characters"),
        ({"tags": {"Name": "v" * 257}}, "a value 256 at most"),
        ({"tags": {"AWS:name": "gfs1"}}, "the prefix aws: is reserved"),
        ({"secondaryPrivateIps": [f"10.20.0.25{last}" for last in range(4)]}, "t3.small has 4 private addresses"),
        (
            {"instanceType": "t3.nano", "secondaryPrivateIps": ["10.20.0.250", "10.20.0.251"]},
            "PrivateIpAddressLimitExceeded: t3.nano has 2",
        ),
        (
            {"instanceType": "m6g.medium", "secondaryPrivateIps": [f"10.20.0.25{last}" for last in range(4)]},
            "m6g.medium has 4",
        ),
        ({"secondaryPrivateIps": ["10.20.1.250"]}, "InvalidParameterValue: address 10.20.1.250 is not one of subnet-"),
        ({"secondaryPrivateIps": ["10.20.0.3"]}, "address 10.20.0.3 is not one of"),
        ({"secondaryPrivateIps": ["10.20.0.255"]}, "address 10.20.0.255 is not one of"),
        ({"rootBlockDevice": {"volumeSize": 65537}}, "size 65537 of a gp3 volume is not 1 to 65536"),
        ({"metadataOptions": {"httpTokens": "never"}}, "'optional' or 'required'"),
    ],
)
def test_an_instance_that_ec2_would_refuse_is_refused(
    engine: Engine, subnets: list[Resource], change: dict[str, Any], words: str
) -> None:
    with pytest.raises(Rejected, match=words):
        instance(engine, subnets, **change)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"type": "gp3", "size": 0}, "InvalidParameterValue: size 0 of a gp3 volume is not 1 to 65536"),
        ({"type": "gp3", "size": 65537}, "size 65537 of a gp3"),
        ({"type": "gp2", "size": 16385}, "size 16385 of a gp2 volume is not 1 to 16384"),
        ({"type": "st1", "size": 124}, "size 124 of a st1 volume is not 125 to"),
        ({"type": "standard", "size": 1025}, "not 1 to 1024"),
        ({"type": "gp3", "size": 10, "iops": 2999}, "iops 2999 of a gp3 volume is not 3000 to"),
        ({"type": "gp3", "size": 10, "throughput": 2001}, "throughput 2001 of a gp3 volume is not 125 to 2000"),
        ({"type": "gp2", "size": 10, "iops": 3000}, "InvalidParameterCombination: a volume of type gp2 takes no iops"),
        ({"type": "io2", "size": 10, "throughput": 125}, "a volume of type io2 takes no throughput"),
        ({"size": 10, "availabilityZone": "us-east-1g"}, "us-east-1g does not exist"),
    ],
)
def test_a_volume_that_ec2_would_refuse_is_refused(engine: Engine, change: dict[str, Any], words: str) -> None:
    with pytest.raises(Rejected, match=words):
        engine.create("Volume", "gfs1-data", **{"availabilityZone": "us-east-1a"} | change)


def test_a_key_s_name_has_255_characters_at_most(engine: Engine) -> None:
    engine.create("KeyPair", "login", keyName="k" * 255, publicKey=KEY)
    with pytest.raises(Rejected, match="is not a key's name"):
        engine.create("KeyPair", "login", keyName="k" * 256, publicKey=KEY)


def rule(group: Resource, port: int) -> dict[str, Any]:
    return {
        "securityGroupId": group.id, "ipProtocol": "tcp", "fromPort": port, "toPort": port, "cidrIpv4": "10.0.0.0/8",
    }  # fmt: skip


@pytest.mark.parametrize("direction", ["SecurityGroupIngressRule", "SecurityGroupEgressRule"])
def test_a_security_group_has_60_rules_in_each_direction(engine: Engine, group: Resource, direction: str) -> None:
    rules = [engine.create(direction, f"rule-{port}", **rule(group, port)) for port in range(60)]
    with pytest.raises(Rejected, match=r"RulesPerSecurityGroupLimitExceeded: sg-.* has 60 rules in this direction"):
        engine.create(direction, "rule-60", **rule(group, 60))
    # a rule of a full group can change
    engine.update(rules[0], toPort=99)


def test_a_security_group_has_each_rule_once(engine: Engine, group: Resource) -> None:
    engine.create("SecurityGroupIngressRule", "ssh", **rule(group, 22))
    with pytest.raises(Rejected, match=r"InvalidPermission\.Duplicate"):
        engine.create("SecurityGroupIngressRule", "again", **rule(group, 22))
    engine.create("SecurityGroupEgressRule", "ssh", **rule(group, 22))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"name": "sg-node"}, "InvalidParameterValue: 'sg-node' is not a security group's name"),
        ({"name": "n" * 256}, "is not a security group's name"),
        ({"name": "né"}, "is not a security group's name"),
        ({"description": "d" * 256}, "is not a security group's or a rule's description"),
        ({"description": "nodes' web"}, "is not a security group's or a rule's description"),
        ({"name": "NODE"}, "InvalidGroup.Duplicate: the security group NODE exists already"),
    ],
)
def test_a_security_group_that_ec2_would_refuse_is_refused(
    engine: Engine, vpc: Resource, change: dict[str, Any], words: str
) -> None:
    engine.create("SecurityGroup", "node", name="node", vpcId=vpc.id)
    with pytest.raises(Rejected, match=words):
        engine.create("SecurityGroup", "node", **{"vpcId": vpc.id} | change)


def test_a_subnet_has_16_addresses_at_least(engine: Engine, vpc: Resource) -> None:
    with pytest.raises(Rejected, match=r"InvalidSubnet\.Range: 10.20.0.0/29 is not between"):
        engine.create("Subnet", "a", vpcId=vpc.id, cidrBlock="10.20.0.0/29", availabilityZone="us-east-1a")


@pytest.mark.parametrize("name", ["b" * 32, "b", "B-2"])
def test_a_name_of_a_load_balancer_or_target_group_at_the_limit_is_accepted(
    engine: Engine, vpc: Resource, subnets: list[Resource], name: str
) -> None:
    assert balancer(engine, subnets, name=name).id
    assert target_group(engine, vpc, name=name).id


@pytest.mark.parametrize("name", ["b" * 33, "", "-b", "b-", "a.b", "a_b"])
def test_a_bad_name_of_a_load_balancer_or_target_group_is_refused(
    engine: Engine, vpc: Resource, subnets: list[Resource], name: str
) -> None:
    with pytest.raises(Rejected, match=f"name: .*ValidationError: '{name}' is not a load balancer's name"):
        balancer(engine, subnets, name=name)
    with pytest.raises(Rejected, match=f"name: .*ValidationError: '{name}' is not a target group's name"):
        target_group(engine, vpc, name=name)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"name": "internal-shop"}, "'internal-shop' is not a load balancer's name"),
        ({"securityGroups": ["sg"] * 6}, "6 groups; 5 are allowed"),
        ({"idleTimeout": 0}, "idleTimeout: .*greater than or equal to 1"),
        ({"idleTimeout": 4001}, "less than or equal to 4000"),
        ({"tags": {"Name": "a*b"}}, r"ValidationError: CreateLoadBalancer: Tags\[0\].Value: 'a\*b' does not match"),
    ],
)
def test_a_load_balancer_that_elb_would_refuse_is_refused(
    engine: Engine, subnets: list[Resource], change: dict[str, Any], words: str
) -> None:
    with pytest.raises(Rejected, match=words):
        balancer(engine, subnets, **change)


def test_a_load_balancer_s_name_exists_once(engine: Engine, vpc: Resource, subnets: list[Resource]) -> None:
    balancer(engine, subnets)
    target_group(engine, vpc)
    with pytest.raises(Rejected, match="DuplicateLoadBalancerName: the load balancer balancer exists already"):
        balancer(engine, subnets)
    with pytest.raises(Rejected, match="DuplicateTargetGroupName: the target group nodes exists already"):
        target_group(engine, vpc)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"port": 65536}, "CreateTargetGroup: Port: 65536 is more than 65535"),
        ({"port": 0}, "Port, value: 0, valid min value: 1"),
        ({"deregistrationDelay": 3601}, "less than or equal to 3600"),
        ({"healthCheck": {"interval": 4}}, "HealthCheckIntervalSeconds, value: 4, valid min value: 5"),
        ({"healthCheck": {"interval": 301}}, "HealthCheckIntervalSeconds: 301 is more than 300"),
        ({"healthCheck": {"timeout": 1}}, "HealthCheckTimeoutSeconds, value: 1"),
        ({"healthCheck": {"interval": 5, "timeout": 5}}, "timeout 5 must be smaller than the interval 5"),
        ({"healthCheck": {"healthyThreshold": 1}}, "HealthyThresholdCount, value: 1"),
        ({"healthCheck": {"unhealthyThreshold": 11}}, "UnhealthyThresholdCount: 11 is more than 10"),
        ({"healthCheck": {"path": "/" * 1025}}, "HealthCheckPath: a length of 1025 is more than 1024"),
    ],
)
def test_a_target_group_that_elb_would_refuse_is_refused(
    engine: Engine, vpc: Resource, change: dict[str, Any], words: str
) -> None:
    with pytest.raises(Rejected, match=words):
        target_group(engine, vpc, **change)


def test_a_change_in_place_is_compared_with_the_model_too(engine: Engine, vpc: Resource) -> None:
    made = target_group(engine, vpc)
    with pytest.raises(Rejected, match="HealthCheckIntervalSeconds: 301 is more than 300"):
        engine.update(made, healthCheck={"interval": 301})


def test_a_listener_has_a_port_of_tcp(engine: Engine, vpc: Resource, subnets: list[Resource]) -> None:
    action = {"type": "forward", "targetGroupArn": target_group(engine, vpc).id}
    with pytest.raises(Rejected, match="CreateListener: Port: 65536 is more than 65535"):
        engine.create(
            "Listener", "http", loadBalancerArn=balancer(engine, subnets).id, port=65536, defaultActions=[action]
        )


@pytest.mark.parametrize(
    "change",
    [
        {"identifier": "d" * 63},
        {"dbName": "d" * 64, "username": "u" * 16, "password": "p" * 41},
        {"backupWindow": "03:00-04:00", "maintenanceWindow": "sun:05:00-sun:06:00"},
        {"finalSnapshotIdentifier": "s" * 255},
        {"maxAllocatedStorage": 22},
    ],
)
def test_a_database_at_a_limit_is_made(engine: Engine, subnets: list[Resource], change: dict[str, Any]) -> None:
    assert database(engine, subnets, **change).id


@pytest.mark.parametrize(
    ("change", "words"),
    [
        *(
            ({"identifier": name}, f"InvalidParameterValue: '{name}' is not an instance's identifier")
            for name in ("d" * 64, "1d", "d-", "a--b", "a_b", "")
        ),
        *(({"finalSnapshotIdentifier": name}, "is not a snapshot's") for name in ("s" * 256, "a--b", "s-", "1")),
        ({"dbName": "d" * 65}, "is not a database's name"),
        ({"dbName": "word-press"}, "is not a database's name"),
        ({"username": "u" * 17}, "is not a user's name"),
        ({"username": "1u"}, "is not a user's name"),
        ({"password": "short12"}, "MasterUserPassword must be 8 to 41"),
        ({"password": "p" * 42}, "MasterUserPassword must be 8 to 41"),
        ({"password": "with/a-slash"}, "MasterUserPassword must be 8 to 41"),
        ({"password": "with a space"}, "MasterUserPassword must be 8 to 41"),
        ({"instanceClass": "t4g.small"}, "'t4g.small' is not an instance class"),
        ({"storageType": "gp4"}, "storageType: "),
        ({"allocatedStorage": 19}, "allocated storage of 19 GiB is not 20 to 65536"),
        ({"allocatedStorage": 99, "storageType": "io1"}, "99 GiB is not 100 to"),
        ({"maxAllocatedStorage": 21}, "InvalidParameterCombination: maxAllocatedStorage is less than 10 % above"),
        ({"backupRetentionPeriod": 36}, "less than or equal to 35"),
        ({"backupWindow": "3:00-4:00"}, "'3:00-4:00' is not a time range"),
        ({"maintenanceWindow": "05:00-06:00"}, "is not a time range such as sun:05:00"),
        ({"vpcSecurityGroupIds": ["sg"] * 6}, "6 groups; 5 are allowed"),
    ],
)
def test_a_database_that_rds_would_refuse_is_refused(
    engine: Engine, subnets: list[Resource], change: dict[str, Any], words: str
) -> None:
    with pytest.raises(Rejected, match=words):
        database(engine, subnets, **change)


def test_a_refused_password_is_not_in_the_error(engine: Engine, subnets: list[Resource]) -> None:
    with pytest.raises(Rejected) as refused:
        database(engine, subnets, password="hunter2")
    assert "hunter2" not in str(refused.value)


@pytest.mark.parametrize("name", ["default", "1d", "a,b", "d" * 256])
def test_a_bad_name_of_a_subnet_group_is_refused(engine: Engine, subnets: list[Resource], name: str) -> None:
    with pytest.raises(Rejected, match="is not a subnet group's name"):
        engine.create("SubnetGroup", "database", name=name, subnetIds=[subnet.id for subnet in subnets])


@pytest.mark.parametrize("name", ["a--b", "p-", "p" * 256, "a.b"])
def test_a_bad_name_of_a_parameter_group_is_refused(engine: Engine, name: str) -> None:
    with pytest.raises(Rejected, match="is not a parameter group's name"):
        engine.create("ParameterGroup", "database", name=name, family="mysql8.4")


@pytest.mark.parametrize(("name", "words"), [("r" * 65, "a length of 65 is more than 64"), ("a b", "does not match")])
def test_a_bad_name_of_a_role_is_refused(engine: Engine, name: str, words: str) -> None:
    with pytest.raises(Rejected, match=f"ValidationError: CreateRole: RoleName: .*{words}"):
        engine.create("Role", "entrance", name=name, assumeRolePolicy="{}")
