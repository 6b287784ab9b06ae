"""DigitalOcean's stand-ins on machines: reachability, a droplet's interfaces and disks, the services."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import asyncssh
import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from rehearsal.drills.reachability import OPERATOR, STRANGER, reaches
from rehearsal.plugins import digitalocean
from rehearsal.region.faults import FaultInjector
from rehearsal.region.machine import Machine
from rehearsal.region.region import Region
from rehearsal.system.shell import ToolError
from tests.stand_in import Engine, Rejected, Resource

SERVE = """
systemctl disable --now nginx apache2 2>/dev/null || true
mkdir -p /srv/site
hostname >/srv/site/name
touch /srv/site/healthz
systemd-run --quiet --unit=site python3 -m http.server 80 --directory /srv/site
"""


@dataclass
class Site:
    """Two droplets with the tags of a site and one without tags, a load balancer, and a database."""

    engine: Engine
    region: Region
    private_key: str
    made: dict[str, Resource]

    def machine(self, name: str) -> Machine:
        return self.region.machines[self.made[name].id]

    def public(self, name: str) -> str:
        return str(self.made[name].outputs["ipv4Address"])

    def private(self, name: str) -> str:
        return str(self.made[name].outputs["ipv4AddressPrivate"])

    def connects(self, source: str, address: str, port: int) -> bool:
        """Whether a droplet gets a TCP connection."""
        try:
            self.machine(source).enter("timeout", "2", "bash", "-c", f"</dev/tcp/{address}/{port}")
        except ToolError:
            return False
        return True


@pytest.fixture(scope="module")
def site(region: Region) -> Iterator[Site]:
    engine = Engine(digitalocean.provider(region))
    key = Ed25519PrivateKey.generate()
    public = key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()
    made: dict[str, Resource] = {}

    def make(kind: str, name: str, /, **inputs: Any) -> Resource:
        made[name] = engine.create(kind, name, **inputs)
        return made[name]

    vpc = make("Vpc", "network", name="prod", region="nyc3", ipRange="10.30.0.0/16")
    make("SshKey", "login", publicKey=public)
    for tag in ("site", "web"):
        make("Tag", tag, name=tag)
    anywhere = ["0.0.0.0/0", "::/0"]
    make(
        "Firewall",
        "nodes",
        tags=["site"],
        inboundRules=[
            {"protocol": "tcp", "portRange": "22", "sourceAddresses": ["203.0.113.0/24"]},
            {"protocol": "tcp", "portRange": "24007-24008", "sourceAddresses": ["10.30.0.0/16"]},
            {"protocol": "tcp", "portRange": "7000", "sourceTags": ["site"]},
        ],
        outboundRules=[{"protocol": "tcp", "portRange": "1-65535", "destinationAddresses": anywhere}],
    )
    for name, tags in {"app1": ["site", "web"], "app2": ["site", "web"], "lone": []}.items():
        make(
            "Droplet",
            name,
            name=name,
            image="debian-13-x64",
            region="nyc3",
            size="s-1vcpu-2gb",
            vpcUuid=vpc.id,
            sshKeys=[made["login"].outputs["fingerprint"]],
            userData="#cloud-config\nlocale: C.UTF-8\n",
            tags=tags,
        )
    cluster = make(
        "DatabaseCluster", "database", engine="mysql", version="8", size="db-s-1vcpu-2gb", region="nyc3", nodeCount=2,
        privateNetworkUuid=vpc.id,
    )  # fmt: skip
    make("DatabaseDb", "wordpress", clusterId=cluster.id, name="wordpress")
    make("DatabaseUser", "user", clusterId=cluster.id, name="wordpress")
    make("DatabaseFirewall", "trusted", clusterId=cluster.id, rules=[{"type": "tag", "value": "site"}])
    forwarding = {"entryProtocol": "http", "entryPort": 80, "targetProtocol": "http", "targetPort": 80}
    check = {"checkIntervalSeconds": 3, "responseTimeoutSeconds": 3, "healthyThreshold": 2, "unhealthyThreshold": 2}
    balancer = make(
        "LoadBalancer",
        "balancer",
        region="nyc3",
        vpcUuid=vpc.id,
        dropletTag="web",
        forwardingRules=[forwarding],
        healthcheck={"protocol": "http", "port": 80, "path": "/healthz"} | check,
    )
    make(
        "Firewall",
        "web-firewall",
        tags=["web"],
        inboundRules=[{"protocol": "tcp", "portRange": "80", "sourceLoadBalancerUids": [balancer.id]}],
    )
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()).decode()
    site = Site(engine, region, pem, made)
    for name in ("app1", "app2", "lone"):
        eventually(partial(site.machine(name).enter, "systemctl", "is-active", "--quiet", "ssh"), within=120)
        eventually(
            partial(site.machine(name).enter, "cloud-init", "status", "--wait", "--long", timeout=120), within=120
        )
        site.machine(name).enter("sh", "-c", SERVE)
    eventually(lambda: {served_by(site) for _ in range(8)} == {"app1", "app2"})
    yield site
    for name in reversed(made):
        engine.delete(made[name])
    assert not region.records


def eventually(attempt: Callable[[], object], within: float = 30) -> None:
    """Wait until a call neither raises nor returns False."""
    end = time.monotonic() + within
    while True:
        try:
            if attempt() is not False:
                return
        except (ToolError, ProcessLookupError, httpx.HTTPError) as error:
            if time.monotonic() > end:
                raise error from None
        assert time.monotonic() < end
        time.sleep(0.1)


def served_by(site: Site) -> str:
    """The name of the droplet that answers through the load balancer, or the status of an error."""
    answer = httpx.get(f"http://{site.made['balancer'].outputs['ip']}/name", timeout=15)
    return answer.text.strip() if answer.status_code == 200 else str(answer.status_code)


def test_root_logs_in_with_the_key_at_the_public_address(site: Site) -> None:
    async def login() -> str:
        key = asyncssh.import_private_key(site.private_key)
        async with asyncssh.connect(
            site.public("app1"), username="root", client_keys=[key], known_hosts=None, config=None
        ) as connection:
            return str((await connection.run("whoami; hostname", check=True)).stdout)

    assert asyncio.run(login()).split() == ["root", "app1"]


def test_the_public_address_is_on_the_first_interface_and_the_private_one_on_the_second(site: Site) -> None:
    for interface, address in {"eth0": site.public("app1"), "eth1": site.private("app1")}.items():
        assert f" {address}/" in site.machine("app1").enter("ip", "-4", "-oneline", "address", "show", interface)
    assert " dev eth0 " in site.machine("app1").enter("ip", "route", "show", "default")


def test_a_firewall_admits_only_what_its_rules_name(site: Site) -> None:
    public, private = site.public("app1"), site.private("app1")
    assert reaches(OPERATOR, public, 22)
    assert not reaches(STRANGER, public, 22)
    assert not site.connects("app2", private, 22)
    assert not reaches(OPERATOR, public, 80)
    assert not site.connects("app2", private, 80)
    assert not site.connects("lone", private, 80)
    # a rule for the VPC does not open the port to the operator's network
    for droplet in ("app1", "app2"):
        site.machine(droplet).enter("systemd-run", "--quiet", "python3", "-m", "http.server", "24007")
        site.machine(droplet).enter("systemd-run", "--quiet", "python3", "-m", "http.server", "7000")
    eventually(lambda: site.connects("app2", private, 24007))
    assert site.connects("lone", private, 24007)
    assert not reaches(OPERATOR, public, 24007)
    # a tag stands for its droplets, at their public and their private addresses
    eventually(lambda: site.connects("app2", private, 7000))
    assert site.connects("app2", public, 7000)
    assert not site.connects("lone", private, 7000)


def test_only_what_a_rule_allows_leaves_a_droplet(site: Site) -> None:
    ping = ("ping", "-c", "1", "-W", "2", site.private("lone"))
    with pytest.raises(ToolError):
        site.machine("app1").enter(*ping)
    assert site.connects("app1", site.private("lone"), 22)
    before = site.made["nodes"].inputs["outboundRules"]
    site.made["nodes"] = site.engine.update(
        site.made["nodes"],
        outboundRules=[*before, {"protocol": "icmp", "destinationAddresses": ["10.30.0.0/16"]}],
    )
    site.machine("app1").enter(*ping)
    site.made["nodes"] = site.engine.update(site.made["nodes"], outboundRules=before)


def test_a_droplet_without_a_firewall_is_open(site: Site) -> None:
    assert reaches(STRANGER, site.public("lone"), 22)
    assert reaches(STRANGER, site.public("lone"), 80)
    assert site.connects("app1", site.private("lone"), 80)


def test_a_volume_shows_under_its_name_while_the_droplet_runs_and_goes_by_itself(site: Site) -> None:
    volume = site.engine.create("Volume", "data", region="nyc3", size=1)
    by_id = f"/dev/disk/by-id/scsi-0DO_Volume_{volume.outputs['name']}"
    droplet = int(site.made["app1"].id)
    attached = site.engine.create("VolumeAttachment", "data", dropletId=droplet, volumeId=volume.id)
    assert int(site.machine("app1").enter("blockdev", "--getsize64", by_id)) == 1 << 30
    with pytest.raises(Rejected, match="is in use by"):
        site.engine.delete(volume)
    site.engine.delete(attached)
    with pytest.raises(ToolError):
        site.machine("app1").enter("test", "-e", by_id)
    site.engine.delete(volume)


@pytest.mark.parametrize(("deleted", "kept"), [(True, "written\n"), (False, "")])
def test_a_deleted_droplet_writes_its_data_before_it_gives_its_disk_up(site: Site, deleted: bool, kept: str) -> None:
    old = site.engine.create(
        "Droplet", "old", name="old", image="debian-13-x64", region="nyc3", size="s-1vcpu-2gb",
        vpcUuid=site.made["network"].id, gracefulShutdown=True,
    )  # fmt: skip
    machine, faults = site.region.machines[old.id], FaultInjector(site.region)
    volume = site.engine.create("Volume", "data", region="nyc3", size=1)
    disk = f"/dev/disk/by-id/scsi-0DO_Volume_{volume.outputs['name']}"
    site.engine.create("VolumeAttachment", "data", dropletId=int(old.id), volumeId=volume.id)
    machine.enter("sh", "-c", f"mkfs.xfs -q -L data {disk}; mount {disk} /mnt; sync; echo written >/mnt/file")
    if deleted:
        site.engine.delete(old)
    else:
        faults.lose_machine("old")
    lone = site.machine("lone")
    site.engine.create("VolumeAttachment", "data", dropletId=int(site.made["lone"].id), volumeId=volume.id)
    lone.enter("mount", disk, "/mnt")
    assert lone.enter("sh", "-c", "cat /mnt/file 2>/dev/null || true") == kept
    # a lost disk is away from a machine that runs on
    faults.lose_disks("lone")
    lone.enter("systemctl", "is-active", "--quiet", "ssh")
    with pytest.raises(ToolError):
        lone.enter("mountpoint", "/mnt")
    assert volume.id not in site.region.records


def test_visitors_go_to_healthy_droplets_only(site: Site) -> None:
    eventually(lambda: {served_by(site) for _ in range(8)} == {"app1", "app2"})
    site.machine("app1").enter("rm", "/srv/site/healthz")
    eventually(lambda: {served_by(site) for _ in range(8)} == {"app2"})
    site.machine("app2").enter("rm", "/srv/site/healthz")
    eventually(lambda: served_by(site) == "503")
    for name in ("app1", "app2"):
        site.machine(name).enter("touch", "/srv/site/healthz")
    eventually(lambda: {served_by(site) for _ in range(8)} == {"app1", "app2"})


def test_the_load_balancer_admits_only_the_sources_of_its_firewall(site: Site) -> None:
    address = str(site.made["balancer"].outputs["ip"])
    assert reaches(STRANGER, address, 80)
    site.made["balancer"] = site.engine.update(
        site.made["balancer"], firewall={"allows": ["cidr:203.0.113.0/24", "ip:192.0.2.7"]}
    )
    try:
        assert not reaches(STRANGER, address, 80)
        # the load balancer's own checks and requests still reach the droplets
        time.sleep(7)
        assert {served_by(site) for _ in range(8)} == {"app1", "app2"}
    finally:
        site.made["balancer"] = site.engine.update(site.made["balancer"], firewall={"allows": []})
    assert reaches(STRANGER, address, 80)


def test_a_droplet_that_gets_the_tag_gets_visitors_and_a_firewall(site: Site) -> None:
    site.made["lone"] = site.engine.update(site.made["lone"], tags=["web"])
    try:
        eventually(lambda: "lone" in {served_by(site) for _ in range(9)})
        assert not reaches(STRANGER, site.public("lone"), 22)
    finally:
        site.made["lone"] = site.engine.update(site.made["lone"], tags=[])
    assert reaches(STRANGER, site.public("lone"), 22)
    eventually(lambda: {served_by(site) for _ in range(8)} == {"app1", "app2"})


def query(site: Site, droplet: str, statement: str, *options: str) -> str:
    cluster, user = site.made["database"].outputs, site.made["user"].outputs
    ca = site.engine.invoke("digitalocean:index/getDatabaseCa:getDatabaseCa", clusterId=site.made["database"].id)
    site.machine(droplet).enter("sh", "-c", "cat >/root/ca.pem", stdin=ca["certificate"])
    return site.machine(droplet).enter(
        "mariadb", "--no-defaults", "--batch", "--skip-column-names", "--connect-timeout=3",
        f"--host={cluster['privateHost']}", f"--port={cluster['port']:.0f}", f"--user={user['name']}",
        f"--password={user['password']}",
        *(options or ("--ssl-ca=/root/ca.pem", "--ssl-verify-server-cert")),
        f"--execute={statement}", "wordpress",
    )  # fmt: skip


def test_the_database_admits_trusted_droplets_over_tls(site: Site) -> None:
    assert query(site, "app1", "SELECT 1") == "1\n"
    with pytest.raises(ToolError, match="insecure transport"):
        query(site, "app1", "SELECT 1", "--skip-ssl")
    with pytest.raises(ToolError, match=r"certificate|CA|SSL"):
        query(site, "app1", "SELECT 1", "--ssl-ca=/etc/ssl/certs/ISRG_Root_X1.pem", "--ssl-verify-server-cert")
    with pytest.raises(ToolError, match="Can't connect"):
        query(site, "lone", "SELECT 1")


def test_a_table_needs_a_primary_key(site: Site) -> None:
    with pytest.raises(ToolError, match=r"primary key|PRIMARY KEY"):
        query(site, "app1", "CREATE TABLE without_a_key (a INT)")


def test_the_database_s_standby_has_what_was_written_and_trusts_the_same(site: Site) -> None:
    query(site, "app1", "CREATE TABLE kept (a INT PRIMARY KEY); INSERT INTO kept VALUES (7)")
    database = site.region.databases[site.made["database"].id]
    before = database.active
    database.fail_over()
    assert database.active is not before
    eventually(lambda: query(site, "app1", "SELECT a FROM kept") == "7\n")
    with pytest.raises(ToolError, match="Can't connect"):
        query(site, "lone", "SELECT 1")


def test_a_droplet_that_is_lost_comes_back_with_its_addresses(site: Site) -> None:
    site.machine("app2").power_off()
    eventually(lambda: {served_by(site) for _ in range(8)} == {"app1"})
    site.machine("app2").power_on()
    eventually(lambda: reaches(OPERATOR, site.public("app2"), 22), within=60)
    assert f" {site.private('app2')}/" in site.machine("app2").enter("ip", "-4", "-oneline", "address", "show", "eth1")
    site.machine("app2").enter("sh", "-c", SERVE)
    eventually(lambda: {served_by(site) for _ in range(8)} == {"app1", "app2"})
