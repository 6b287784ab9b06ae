"""DigitalOcean's stand-ins refuse, name and replace resources as DigitalOcean does.

Their effect on machines: tests/scripts/test_digitalocean.py.
"""

from __future__ import annotations

import itertools
import re
from ipaddress import IPv4Network
from typing import Any
from unittest.mock import Mock, call

import pytest

from rehearsal.plugins import digitalocean
from rehearsal.plugins.protocol import UNKNOWN
from rehearsal.preview import paper
from rehearsal.preview.paper import PaperRegion
from rehearsal.region.database import DatabaseSpec
from rehearsal.region.endpoint import Endpoint, Port
from rehearsal.region.firewall import Rule
from rehearsal.region.network import PUBLIC
from rehearsal.region.object_storage import Account, Address, BucketNotEmpty, Statement
from rehearsal.region.region import Region
from tests.stand_in import Engine, Rejected, Resource

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJnq0q6jGpBvSOmtq6bQmGNrXV0pZvKBq7LQXqUXvAbc"
UUID = r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"
ANYWHERE = IPv4Network("0.0.0.0/0")


@pytest.fixture
def region() -> Region:
    """A region in which machines, disks and services are names only."""
    region, numbers = Mock(), itertools.count(4)
    region.records, region.machines, region.disks, region.balancers, region.databases = {}, {}, {}, {}, {}
    region.certificates = {}
    region.certificate = region.certificates.get
    network = region.network
    network.groups = {}

    def new_port(interface: str, subnet: IPv4Network, groups: tuple[str, ...]) -> Port:
        return Port("port", interface, str(subnet.network_address + next(numbers)), subnet, groups)

    def put_in_groups(endpoint: Endpoint, groups: tuple[str, ...]) -> None:
        for port in endpoint.ports:
            port.groups = groups

    def new_machine(key: str, *, ports: list[Port], **_: Any) -> Mock:
        machine = Mock(endpoint=Endpoint(key, tuple(ports)), attachments=[])
        region.machines[key] = machine
        return machine

    def new_balancer(key: str, name: str, endpoint: Endpoint) -> None:
        region.balancers[key] = Mock(endpoint=endpoint, listeners={}, groups={})

    def new_database(key: str, spec: DatabaseSpec) -> None:
        region.databases[key] = Mock(endpoints=spec.endpoints)

    network.new_port.side_effect = new_port
    network.new_public_port.side_effect = lambda interface, groups: new_port(interface, PUBLIC, groups)
    network.put_in_groups.side_effect = put_in_groups
    region.new_machine.side_effect = new_machine
    region.new_balancer.side_effect = new_balancer
    region.new_database.side_effect = new_database
    region.new_disk.side_effect = lambda key, size: region.disks.update({key: Mock()})
    region.ca.certificate = "the authority's certificate"
    return region


@pytest.fixture
def engine(region: Region) -> Engine:
    return Engine(digitalocean.provider(region))


@pytest.fixture
def vpc(engine: Engine) -> Resource:
    return engine.create("Vpc", "network", name="prod", region="nyc3", ipRange="10.30.0.0/16")


def droplet(engine: Engine, vpc: Resource, name: str = "gfs1", **inputs: Any) -> Resource:
    return engine.create("Droplet", name, **droplet_inputs(vpc, name) | inputs)


def droplet_inputs(vpc: Resource, name: str) -> dict[str, Any]:
    return {"name": name, "image": "debian-13-x64", "region": "nyc3", "size": "s-1vcpu-2gb", "vpcUuid": vpc.id}


HTTP = {"entryProtocol": "http", "entryPort": 80, "targetProtocol": "http", "targetPort": 80}
HTTPS = HTTP | {"entryProtocol": "https", "entryPort": 443}
HEALTHCHECK = {"protocol": "http", "port": 80, "path": "/healthz"}


def balancer_inputs(vpc: Resource) -> dict[str, Any]:
    return {"name": "prod", "region": "nyc3", "vpcUuid": vpc.id, "forwardingRules": [HTTP], "healthcheck": HEALTHCHECK}


def cluster_inputs(vpc: Resource) -> dict[str, Any]:
    return {
        "engine": "mysql", "version": "8", "size": "db-s-1vcpu-2gb", "region": "nyc3", "nodeCount": 2,
        "privateNetworkUuid": vpc.id,
    }  # fmt: skip


def let_in(port: str, **sources: Any) -> dict[str, Any]:
    return {"protocol": "tcp", "portRange": port, **sources}


def test_ids_are_as_digitalocean_gives_them(engine: Engine, vpc: Resource) -> None:
    made = droplet(engine, vpc)
    volume = engine.create("Volume", "gfs1-data", region="nyc3", size=10)
    attached = engine.create("VolumeAttachment", "gfs1-data", dropletId=int(made.id), volumeId=volume.id)
    assert re.fullmatch(UUID, vpc.id)
    assert re.fullmatch(r"\d{9}", made.id)
    assert re.fullmatch(UUID, volume.id)
    assert re.fullmatch(r"gfs1-data-[0-9a-f]{7}", volume.outputs["name"])
    assert re.fullmatch(rf"{made.id}-{volume.id}-[0-9a-f]{{26}}", attached.id)


def test_a_droplet_s_first_interface_has_the_public_address_and_its_second_the_vpc_s(
    engine: Engine, vpc: Resource, region: Region
) -> None:
    made = droplet(engine, vpc)
    public, private = region.machines[made.id].endpoint.ports
    assert (public.interface, public.address) == ("eth0", made.outputs["ipv4Address"])
    assert (private.interface, private.address) == ("eth1", made.outputs["ipv4AddressPrivate"])


def test_a_key_is_known_by_its_id_and_by_its_fingerprint(engine: Engine, vpc: Resource, region: Region) -> None:
    key = engine.create("SshKey", "login", publicKey=KEY)
    droplet(engine, vpc, "gfs1", sshKeys=[key.id])
    droplet(engine, vpc, "gfs2", sshKeys=[key.outputs["fingerprint"]])
    received = [call.kwargs["public_keys"] for call in region.new_machine.call_args_list]  # type: ignore[attr-defined]
    assert received == [[KEY], [KEY]]
    with pytest.raises(Rejected, match="no valid key identifier"):
        droplet(engine, vpc, "gfs3", sshKeys=["00:11"])


def test_a_preview_leaves_the_cloud_s_outputs_unknown(engine: Engine) -> None:
    unknown = engine.unknowns(
        "Droplet", "gfs1", name="gfs1", image="debian-13-x64", region="nyc3", size="s-1vcpu-2gb", vpcUuid=UNKNOWN,
        tags=[UNKNOWN], userData=UNKNOWN,
    )  # fmt: skip
    assert {"ipv4Address", "ipv4AddressPrivate", "dropletUrn"} <= unknown
    assert "name" not in unknown


@pytest.mark.parametrize(
    ("change", "replaced"),
    [
        ({"userData": "#cloud-config"}, ["userData"]),
        ({"sshKeys": ["1"]}, ["sshKeys"]),
        ({"region": "ams3"}, ["region"]),
        ({"vpcUuid": "other"}, ["vpcUuid"]),
        ({"monitoring": True}, ["monitoring"]),
        ({"size": "s-2vcpu-4gb", "tags": ["web"], "gracefulShutdown": True}, []),
    ],
)
def test_a_droplet_is_replaced_where_digitalocean_cannot_change_it(
    engine: Engine, vpc: Resource, change: dict[str, Any], replaced: list[str]
) -> None:
    found = engine.difference(droplet(engine, vpc), **change)
    assert found.replaces == replaced
    assert found.delete_first


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"region": "nyc9"}, "nyc9 is not a region"),
        ({"size": "t3.small"}, "t3.small is not a droplet size"),
        ({"image": "debian-99-x64"}, "debian-13-x64"),
        ({"name": "gfs_1"}, "'gfs_1' is not a name"),
        ({"name": "gfs1-"}, "'gfs1-' is not a host name"),
        ({"name": "g" * 256}, "is not a host name: 1 to 255 characters"),
        ({"tags": ["t" * 256]}, "is not a tag"),
        ({"tags": ["a b"]}, "'a b' is not a tag"),
        ({"userData": "x" * 65537}, "user data is 65537 bytes; the limit is 65536"),
        ({"region": "ams3"}, "the VPC prod is in nyc3, gfs1 in ams3"),
        ({"vpcUuid": "11111111-2222-3333-4444-555555555555"}, "does not exist"),
        ({"backups": True}, "this input is not supported by the rehearsal"),
    ],
)
def test_a_droplet_that_digitalocean_would_refuse_is_refused(
    engine: Engine, vpc: Resource, region: Region, change: dict[str, Any], words: str
) -> None:
    with pytest.raises(Rejected, match=words):
        droplet(engine, vpc, **change)
    assert not region.machines


def test_a_volume_goes_to_a_droplet_of_its_region_and_to_one_at_a_time(engine: Engine, vpc: Resource) -> None:
    first, second = droplet(engine, vpc, "gfs1"), droplet(engine, vpc, "gfs2")
    volume = engine.create("Volume", "data", region="nyc3", size=10)
    far = engine.create("Volume", "far", region="ams3", size=10)
    engine.create("VolumeAttachment", "data", dropletId=int(first.id), volumeId=volume.id)
    with pytest.raises(Rejected, match=f"already attached to {first.id}"):
        engine.create("VolumeAttachment", "data", dropletId=int(second.id), volumeId=volume.id)
    with pytest.raises(Rejected, match="is in ams3, the droplet gfs1 in nyc3"):
        engine.create("VolumeAttachment", "far", dropletId=int(first.id), volumeId=far.id)


def test_a_droplet_has_15_volumes_at_most(engine: Engine, vpc: Resource) -> None:
    made = droplet(engine, vpc)
    volumes = [engine.create("Volume", f"data{number}", region="nyc3", size=10) for number in range(16)]
    for volume in volumes[:15]:
        engine.create("VolumeAttachment", "data", dropletId=int(made.id), volumeId=volume.id)
    with pytest.raises(Rejected, match=f"422 {made.id} has 15 volumes"):
        engine.create("VolumeAttachment", "data", dropletId=int(made.id), volumeId=volumes[15].id)
    other = droplet(engine, vpc, "gfs2")
    engine.create("VolumeAttachment", "data", dropletId=int(other.id), volumeId=volumes[15].id)


@pytest.mark.parametrize(("size", "words"), [(0, "greater than or equal to 1"), (16385, "less than or equal to 16384")])
def test_a_volume_has_1_to_16384_gib(engine: Engine, size: int, words: str) -> None:
    with pytest.raises(Rejected, match=words):
        engine.create("Volume", "data", region="nyc3", size=size)


def test_a_droplet_has_one_reserved_ip_at_most() -> None:
    _, ocean, *_ = paper.providers(PaperRegion("nyc3"))
    engine = Engine(ocean)
    vpc = engine.create("Vpc", "network", name="prod", region="nyc3", ipRange="10.30.0.0/16")
    made = droplet(engine, vpc)
    engine.create("ReservedIp", "entrance", region="nyc3", dropletId=int(made.id))
    engine.create("ReservedIp", "spare", region="nyc3")
    with pytest.raises(Rejected, match=f"422 the droplet {made.id} has a reserved IP already"):
        engine.create("ReservedIp", "second", region="nyc3", dropletId=int(made.id))


@pytest.mark.parametrize("name", ["Data", "1data", "data_1", "d" * 65])
def test_a_bad_volume_name_is_refused(engine: Engine, name: str) -> None:
    with pytest.raises(Rejected, match="is not a volume's name"):
        engine.create("Volume", "data", name=name, region="nyc3", size=10)


def test_a_volume_shows_under_its_name(engine: Engine, vpc: Resource, region: Region) -> None:
    made = droplet(engine, vpc)
    volume = engine.create("Volume", "data", name="gfs1-data", region="nyc3", size=10)
    engine.create("VolumeAttachment", "data", dropletId=int(made.id), volumeId=volume.id)
    [[attachment], _] = region.machines[made.id].attach.call_args  # type: ignore[attr-defined]
    assert (attachment.device, attachment.by_id) == ("sda", "scsi-0DO_Volume_gfs1-data")


def test_an_attached_volume_stays(engine: Engine, vpc: Resource, region: Region) -> None:
    made = droplet(engine, vpc)
    volume = engine.create("Volume", "data", region="nyc3", size=10)
    engine.create("VolumeAttachment", "data", dropletId=int(made.id), volumeId=volume.id)
    with pytest.raises(Rejected, match="is in use by"):
        engine.delete(volume)
    # the deletion of the droplet detaches the volume
    engine.delete(made)
    engine.delete(volume)
    assert list(region.records) == [vpc.id]


def test_a_vpc_with_members_stays(engine: Engine, vpc: Resource, region: Region) -> None:
    members = [
        droplet(engine, vpc),
        engine.create("LoadBalancer", "balancer", **balancer_inputs(vpc)),
        engine.create("DatabaseCluster", "database", **cluster_inputs(vpc)),
    ]
    for member in members:
        with pytest.raises(Rejected, match="is in use by"):
            engine.delete(vpc)
        engine.delete(member)
    engine.delete(vpc)
    assert not region.records


@pytest.mark.parametrize(
    ("ip_range", "words"),
    [("10.0.0.0/8", "not between /16 and /24"), ("10.0.0.0/28", "not between"), ("203.0.113.0/24", "is not private")],
)
def test_a_vpc_s_range_is_private_and_of_an_allowed_size(engine: Engine, ip_range: str, words: str) -> None:
    with pytest.raises(Rejected, match=words):
        engine.create("Vpc", "network", region="nyc3", ipRange=ip_range)


def test_an_existing_vpc_is_found_by_its_id(engine: Engine, vpc: Resource) -> None:
    found = engine.invoke("digitalocean:index/getVpc:getVpc", id=vpc.id)
    assert (found["name"], found["region"], found["ipRange"]) == ("prod", "nyc3", "10.30.0.0/16")
    with pytest.raises(Rejected, match="404 there is no VPC"):
        engine.invoke("digitalocean:index/getVpc:getVpc", id="5a4981aa-9653-4bd1-bef5-d6bff52042e4")


def test_a_second_vpc_is_refused_by_name(engine: Engine, vpc: Resource) -> None:
    with pytest.raises(Rejected, match="a second one is not supported"):
        engine.create("Vpc", "other", region="nyc3", ipRange="10.40.0.0/16")


def test_a_vpc_s_description_has_255_characters_at_most(engine: Engine) -> None:
    with pytest.raises(Rejected, match="at most 255 characters"):
        engine.create("Vpc", "network", region="nyc3", ipRange="10.30.0.0/16", description="d" * 256)


def test_a_name_exists_once_per_resource_type(engine: Engine) -> None:
    engine.create("Volume", "data", name="data", region="nyc3", size=10)
    with pytest.raises(Rejected, match="409 the name data is taken"):
        engine.create("Volume", "other", name="data", region="nyc3", size=10)
    engine.create("SshKey", "login", name="prod", publicKey=KEY)
    with pytest.raises(Rejected, match="already in use"):
        engine.create("SshKey", "again", name="other", publicKey=KEY)


def test_a_text_that_is_no_key_is_refused(engine: Engine) -> None:
    with pytest.raises(Rejected, match="Key invalid"):
        engine.create("SshKey", "login", publicKey="ssh-ed25519")


def groups(region: Region, droplet: Resource) -> tuple[str, ...]:
    public, private = region.machines[droplet.id].endpoint.ports
    assert public.groups == private.groups
    return public.groups or ()


def test_a_droplet_is_open_until_a_firewall_finds_it_by_tag_or_id(
    engine: Engine, vpc: Resource, region: Region
) -> None:
    engine.create("Tag", "web", name="web")
    tagged, named = droplet(engine, vpc, "app1", tags=["web"]), droplet(engine, vpc, "app2")
    assert "open" in groups(region, tagged)
    everything = Rule("-1", 0, 0, ANYWHERE)
    assert list(region.network.groups["open"].ingress.values()) == [everything]
    wall = engine.create(
        "Firewall", "wall", tags=["web"], dropletIds=[int(named.id)], inboundRules=[let_in("22", sourceTags=["web"])]
    )
    for made in (tagged, named):
        assert wall.id in groups(region, made)
        assert "open" not in groups(region, made)
    # a later droplet with the tag is closed from its first moment
    later = droplet(engine, vpc, "app3", tags=["web"])
    assert region.new_machine.call_args.kwargs["ports"][0].groups[0] == wall.id  # type: ignore[attr-defined]
    engine.update(later, tags=[])
    assert "open" in groups(region, later)
    engine.delete(wall)
    assert all("open" in groups(region, made) for made in (tagged, named))


def test_a_firewall_s_rules_are_in_force_as_they_are_written(engine: Engine, vpc: Resource, region: Region) -> None:
    engine.create("Tag", "web", name="web")
    made = droplet(engine, vpc)
    balancer = engine.create("LoadBalancer", "balancer", **balancer_inputs(vpc))
    wall = engine.create(
        "Firewall",
        "wall",
        tags=["web"],
        inboundRules=[
            let_in("22", sourceAddresses=["203.0.113.0/24", "198.51.100.7", "::/0"]),
            let_in("8000-9000", sourceTags=["web"], sourceDropletIds=[int(made.id)]),
            let_in("80", sourceLoadBalancerUids=[balancer.id]),
        ],
        outboundRules=[{"protocol": "icmp", "destinationAddresses": ["0.0.0.0/0"]}],
    )
    group = region.network.groups[wall.id]
    assert list(group.ingress.values()) == [
        Rule("tcp", 22, 22, IPv4Network("203.0.113.0/24")),
        Rule("tcp", 22, 22, IPv4Network("198.51.100.7/32")),
        Rule("tcp", 8000, 9000, "tag:web"),
        Rule("tcp", 8000, 9000, f"droplet:{made.id}"),
        Rule("tcp", 80, 80, balancer.id),
    ]
    assert [rule.protocol for rule in group.egress.values()] == ["icmp"]
    # the router has a group for each source that a rule names
    assert {"tag:web", f"droplet:{made.id}", balancer.id} <= region.network.groups.keys()
    assert balancer.id in (region.balancers[balancer.id].endpoint.ports[1].groups or ())


@pytest.mark.parametrize(
    ("inputs", "words"),
    [
        ({}, "At least one rule must be specified"),
        ({"inboundRules": [{"protocol": "tcp", "sourceAddresses": ["0.0.0.0/0"]}]}, "`port_range` is required"),
        ({"inboundRules": [let_in("22")]}, "has no source or destination"),
        ({"inboundRules": [let_in("ssh", sourceAddresses=["0.0.0.0/0"])]}, "'ssh' is not a port"),
        ({"inboundRules": [let_in("22", sourceAddresses=["anywhere"])]}, r"inboundRules.*'anywhere' does not appear"),
        ({"inboundRules": [{"protocol": "vrrp", "sourceAddresses": ["0.0.0.0/0"]}]}, "'tcp', 'udp' or 'icmp'"),
        ({"inboundRules": [let_in("22", sourceTags=["absent"])]}, "the tag absent does not exist"),
        ({"tags": ["absent"], "inboundRules": [let_in("22", sourceAddresses=["::/0"])]}, "the tag absent does not"),
        ({"inboundRules": [let_in("22", sourceAddresses=["::/0"])] * 51}, "has 51 rules; 50 are allowed"),
        (
            {
                "inboundRules": [let_in("22", sourceAddresses=["::/0"])] * 25,
                "outboundRules": [{"protocol": "icmp", "destinationAddresses": ["::/0"]}] * 26,
            },
            "has 51 rules; 50 are allowed",
        ),
        ({"tags": list("abcdef"), "inboundRules": [let_in("22", sourceAddresses=["::/0"])]}, "has 6 tags; 5 are"),
        (
            {"dropletIds": list(range(11)), "inboundRules": [let_in("22", sourceAddresses=["::/0"])]},
            "has 11 droplets; 10 are allowed",
        ),
        ({"inboundRules": [let_in("22", sourceAddresses=["10.0.0.1"] * 1001)]}, "over 1000 sources or destinations"),
        ({"inboundRules": [let_in("22", sourceAddresses=["::/0"], action="deny")]}, "this input is not supported"),
    ],
)
def test_a_firewall_that_digitalocean_would_refuse_is_refused(
    engine: Engine, inputs: dict[str, Any], words: str
) -> None:
    with pytest.raises(Rejected, match=words):
        engine.create("Firewall", "wall", **inputs)


def test_a_load_balancer_finds_droplets_by_tag_at_any_time(engine: Engine, vpc: Resource, region: Region) -> None:
    engine.create("Tag", "web", name="web")
    first = droplet(engine, vpc, "app1", tags=["web"])
    droplet(engine, vpc, "gfs1")
    made = engine.create("LoadBalancer", "balancer", **balancer_inputs(vpc), dropletTag="web")
    balancer = region.balancers[made.id]

    def targets() -> set[str]:
        [group] = balancer.groups.values()
        assert not group.fail_open
        return set(group.targets)

    assert targets() == {first.id}
    second = droplet(engine, vpc, "app2", tags=["web"])
    assert targets() == {first.id, second.id}
    engine.update(first, tags=[])
    assert targets() == {second.id}
    engine.delete(second)
    assert targets() == set()
    loads = balancer.apply.call_count  # type: ignore[attr-defined]
    droplet(engine, vpc, "gfs2")
    assert balancer.apply.call_count == loads  # type: ignore[attr-defined]


def test_the_health_check_is_the_load_balancer_s_own(engine: Engine, vpc: Resource, region: Region) -> None:
    made = engine.create("LoadBalancer", "balancer", **balancer_inputs(vpc))
    [group] = region.balancers[made.id].groups.values()
    check = group.check
    assert (check.interval, check.timeout, check.healthy, check.unhealthy) == (10, 5, 5, 3)
    quick = {"protocol": "http", "port": 8080, "path": "/up", "checkIntervalSeconds": 3, "responseTimeoutSeconds": 3}
    engine.update(made, healthcheck=quick | {"healthyThreshold": 2, "unhealthyThreshold": 2})
    [group] = region.balancers[made.id].groups.values()
    check = group.check
    assert (check.path, check.port, check.interval, check.timeout) == ("/up", 8080, 3, 3)
    assert (check.healthy, check.unhealthy, check.matcher) == (2, 2, "200-299")


def test_http_goes_to_https_where_the_load_balancer_has_a_certificate(
    engine: Engine, vpc: Resource, region: Region
) -> None:
    inputs = balancer_inputs(vpc)
    https = HTTPS | {"certificateName": "shop"}
    inputs |= {"forwardingRules": [HTTP, https], "redirectHttpToHttps": True}
    with pytest.raises(Rejected, match="certificate shop not found"):
        engine.create("LoadBalancer", "balancer", **inputs)
    shop = engine.create("Certificate", "shop", name="shop", type="lets_encrypt", domains=["shop.rehearsal.test"])
    certificate = region.certificates["shop"]
    made = engine.create("LoadBalancer", "balancer", **inputs)
    plain, encrypted = region.balancers[made.id].listeners.values()
    assert (plain.port, plain.certificate, plain.redirect_port) == (80, None, 443)
    assert (encrypted.port, encrypted.certificate, encrypted.group) == (443, certificate, "port443")
    with pytest.raises(Rejected, match="Make sure the certificate is not in use before deleting it"):
        engine.delete(shop)


def test_a_load_balancer_admits_the_sources_of_its_firewall_and_anyone_without_one(
    engine: Engine, vpc: Resource, region: Region
) -> None:
    made = engine.create("LoadBalancer", "balancer", **balancer_inputs(vpc))

    def admitted() -> list[Rule]:
        public, private = region.balancers[made.id].endpoint.ports
        first, uid = public.groups or ()
        assert (private.groups, uid) == (public.groups, made.id)
        return list(region.network.groups[first].ingress.values())

    everything = Rule("-1", 0, 0, ANYWHERE)
    assert admitted() == [everything]
    made = engine.update(made, firewall={"allows": ["cidr:198.51.100.0/24", "ip:192.0.2.7"]})
    assert admitted() == [
        Rule("-1", 0, 0, IPv4Network("198.51.100.0/24")),
        Rule("-1", 0, 0, IPv4Network("192.0.2.7/32")),
    ]
    [out] = region.network.groups[f"balancer:{made.id}"].egress.values()
    assert out == everything
    made = engine.update(made, firewall={"allows": []})
    assert admitted() == [everything]
    engine.delete(made)
    assert f"balancer:{made.id}" not in region.network.groups


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"firewall": {"denies": ["ip:192.0.2.7"]}}, "firewall.denies: .*this input is not supported"),
        ({"firewall": {"allows": ["192.0.2.7"]}}, "'192.0.2.7' is not a rule such as ip:1.2.3.4"),
        ({"firewall": {"allows": ["ip:192.0.2.0/24"]}}, "'ip:192.0.2.0/24' is not a rule"),
        ({"firewall": {"allows": ["cidr:192.0.2.7"]}}, "'cidr:192.0.2.7' is not a rule"),
        ({"firewall": {"allows": ["cidr:2001:db8::/32"]}}, "'2001:db8::'"),
        ({"dropletIds": [464329211], "dropletTag": "web"}, "conflicts with dropletTag"),
        ({"dropletTag": "absent"}, "the tag absent does not exist"),
        ({"region": "ams3"}, "the VPC prod is in nyc3"),
        ({"redirectHttpToHttps": True}, "no forwarding rule for it"),
        ({"healthcheck": {"protocol": "http", "port": 80}}, "healthcheck.path"),
        ({"healthcheck": HEALTHCHECK | {"checkIntervalSeconds": 2}}, "greater than or equal to 3"),
        ({"healthcheck": HEALTHCHECK | {"responseTimeoutSeconds": 301}}, "less than or equal to 300"),
        ({"healthcheck": HEALTHCHECK | {"unhealthyThreshold": 1}}, "greater than or equal to 2"),
        ({"healthcheck": HEALTHCHECK | {"healthyThreshold": 11}}, "less than or equal to 10"),
        ({"healthcheck": HEALTHCHECK | {"port": 65536}}, "less than or equal to 65535"),
        ({"healthcheck": {"protocol": "tcp", "port": 80, "path": "/"}}, "Input should be 'http'"),
        ({"forwardingRules": []}, "at least 1 item"),
        ({"forwardingRules": [HTTP | {"entryPort": 0}]}, "greater than or equal to 1"),
        ({"forwardingRules": [HTTP, HTTP | {"targetPort": 8080}]}, "prod has two forwarding rules for one port"),
        ({"forwardingRules": [HTTPS]}, "prod needs a certificate for https"),
        ({"sizeUnit": 0}, "greater than or equal to 1"),
        ({"sizeUnit": 201}, "less than or equal to 200"),
    ],
)
def test_a_load_balancer_that_digitalocean_would_refuse_is_refused(
    engine: Engine, vpc: Resource, change: dict[str, Any], words: str
) -> None:
    with pytest.raises(Rejected, match=words):
        engine.create("LoadBalancer", "balancer", **balancer_inputs(vpc) | change)


def test_a_change_that_digitalocean_would_refuse_is_refused(engine: Engine, vpc: Resource) -> None:
    balancer = engine.create("LoadBalancer", "balancer", **balancer_inputs(vpc))
    with pytest.raises(Rejected, match="no forwarding rule for it"):
        engine.update(balancer, redirectHttpToHttps=True)
    wall = engine.create("Firewall", "wall", inboundRules=[let_in("22", sourceAddresses=["::/0"])])
    with pytest.raises(Rejected, match="the tag absent does not exist"):
        engine.update(wall, tags=["absent"])


def test_a_certificate_names_a_domain(engine: Engine) -> None:
    with pytest.raises(Rejected, match="at least 1 item"):
        engine.create("Certificate", "shop", type="lets_encrypt", domains=[])


def test_a_cluster_accepts_its_trusted_sources(engine: Engine, vpc: Resource, region: Region) -> None:
    engine.create("Tag", "site", name="prod")
    cluster = engine.create("DatabaseCluster", "database", **cluster_inputs(vpc))
    [first, standby] = region.databases[cluster.id].endpoints
    assert {host.ports[0].groups for host in (first, standby)} == {("open",)}
    trusted = engine.create(
        "DatabaseFirewall", "database", clusterId=cluster.id, rules=[{"type": "tag", "value": "prod"}]
    )
    group = f"database:{cluster.id}"
    assert {host.ports[0].groups for host in (first, standby)} == {(group,)}
    assert list(region.network.groups[group].ingress.values()) == [Rule("tcp", 25060, 25060, "tag:prod")]
    engine.delete(trusted)
    assert {host.ports[0].groups for host in (first, standby)} == {("open",)}


def test_a_cluster_outputs_its_hosts_and_its_administrator(engine: Engine, vpc: Resource) -> None:
    cluster = engine.create("DatabaseCluster", "database", **cluster_inputs(vpc))
    output = cluster.outputs
    assert (output["port"], output["user"], output["database"]) == (25060, "doadmin", "defaultdb")
    assert output["privateHost"] == f"private-{output['host']}"
    assert output["uri"] == f"mysql://doadmin:{output['password']}@{output['host']}:25060/defaultdb?ssl-mode=REQUIRED"
    user = engine.create("DatabaseUser", "wordpress", clusterId=cluster.id, name="wordpress")
    assert user.id == f"{cluster.id}/user/wordpress"
    assert len(user.outputs["password"]) == 24
    assert user.outputs["password"] != output["password"]
    with pytest.raises(Rejected, match="exists already"):
        engine.create("DatabaseUser", "again", clusterId=cluster.id, name="wordpress")
    token = "digitalocean:index/getDatabaseCa:getDatabaseCa"
    assert engine.invoke(token, clusterId=cluster.id)["certificate"] == "the authority's certificate"
    with pytest.raises(Rejected, match="there is no cluster nowhere"):
        engine.invoke(token, clusterId="nowhere")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"size": "db-s-1vcpu-1gb"}, "has no standby"),
        ({"size": "db-s-9vcpu-1gb"}, "is not a database size"),
        ({"nodeCount": 0}, "greater than or equal to 1"),
        ({"nodeCount": 4}, "less than or equal to 3"),
        ({"region": "ams3"}, "the VPC prod is in nyc3"),
        ({"engine": "pg"}, "Input should be 'mysql'"),
        ({"name": "Shop"}, "is not a cluster's name"),
    ],
)
def test_a_cluster_that_digitalocean_would_refuse_is_refused(
    engine: Engine, vpc: Resource, change: dict[str, Any], words: str
) -> None:
    with pytest.raises(Rejected, match=words):
        engine.create("DatabaseCluster", "database", **cluster_inputs(vpc) | change)


@pytest.mark.parametrize(
    ("part", "inputs", "words"),
    [
        ("DatabaseDb", {"name": "a`b"}, "is not a name: letters, digits, _ and - only"),
        ("DatabaseDb", {"name": "d" * 64}, "is not a name"),
        ("DatabaseUser", {"name": "u" * 33}, "at most 32 items"),
        ("DatabaseFirewall", {"rules": [{"type": "droplet", "value": "gfs1"}]}, "gfs1 is not the id of a droplet"),
        ("DatabaseFirewall", {"rules": [{"type": "tag", "value": "absent"}]}, "the tag absent does not exist"),
    ],
)
def test_a_part_of_a_cluster_that_digitalocean_would_refuse_is_refused(
    engine: Engine, vpc: Resource, part: str, inputs: dict[str, Any], words: str
) -> None:
    cluster = engine.create("DatabaseCluster", "database", **cluster_inputs(vpc))
    with pytest.raises(Rejected, match=words):
        engine.create(part, "part", clusterId=cluster.id, **inputs)


def test_an_unsupported_input_or_change_is_refused_by_name(engine: Engine, vpc: Resource) -> None:
    with pytest.raises(Rejected, match=r"dropletId: .*this input is not supported"):
        engine.create("ReservedIp", "entrance", region="nyc3", dropletId=464329211)
    volume = engine.create("Volume", "data", region="nyc3", size=10)
    with pytest.raises(Rejected, match="a change of size in place is not supported"):
        engine.update(volume, size=20)


def test_a_key_of_spaces_has_rights_on_its_bucket_only(engine: Engine, region: Any) -> None:
    bucket = engine.create("SpacesBucket", "backups", name="shop", region="nyc3", versioning={"enabled": True})
    region.object_storage.assert_called_with(Address("https://nyc3.digitaloceanspaces.com"))
    storage = region.object_storage.return_value
    assert storage.mock_calls == [call.new_bucket("shop"), call.set_versioning("shop", "Enabled")]
    assert bucket.outputs["endpoint"] == "nyc3.digitaloceanspaces.com"
    key = engine.create("SpacesKey", "backups", grants=[{"bucket": "shop", "permission": "readwrite"}])
    account = Account(key.outputs["accessKey"], key.outputs["secretKey"])
    (name, (on_bucket, on_objects)) = storage.permit.call_args.args
    assert name == "shop"
    assert on_bucket == Statement(account, ["s3:ListBucket"], "arn:aws:s3:::shop")
    assert (on_objects.account, on_objects.resource) == (account, "arn:aws:s3:::shop/*")
    assert "s3:PutObject" in on_objects.actions
    engine.delete(key)
    assert storage.mock_calls[-1] == call.permit("shop", [])
    with pytest.raises(Rejected, match="there is no bucket other"):
        engine.create("SpacesKey", "other", grants=[{"bucket": "other", "permission": "read"}])
    storage.delete_bucket.side_effect = BucketNotEmpty
    with pytest.raises(Rejected, match="BucketNotEmpty"):
        engine.delete(bucket)
    with pytest.raises(Rejected, match="nyc1 has no Spaces"):
        engine.create("SpacesBucket", "elsewhere", region="nyc1")
