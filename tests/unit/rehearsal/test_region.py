"""Parts of the region that need no machine: its settings, addresses and firewall rules."""

from __future__ import annotations

from functools import partial
from ipaddress import IPv4Interface, IPv4Network
from pathlib import Path
from unittest.mock import Mock

import pytest
import yaml

from rehearsal.region.cloud_init import nocloud_seed
from rehearsal.region.endpoint import Endpoint, Port
from rehearsal.region.faults import FaultInjector
from rehearsal.region.firewall import Group, Rule, ruleset
from rehearsal.region.machine import Machine
from rehearsal.region.outside_addresses import OutsideAddresses
from rehearsal.region.ready import Ready
from rehearsal.region.region import Region
from rehearsal.region.settings import RegionSettings
from rehearsal.setup.image import Image

SUBNET = IPv4Network("10.20.1.0/24")


def test_a_server_reads_the_settings_that_a_session_wrote(tmp_path: Path) -> None:
    settings = RegionSettings(
        directory=tmp_path,
        image=Image(Path("/images/nodes"), Path("/images/services")),
        cgroup="ha-wordpress-stack",
        name="us-east-1",
        outside=OutsideAddresses(IPv4Interface("203.0.113.10/24")),
    )
    settings.write()
    assert RegionSettings.read(tmp_path) == settings


def test_the_key_of_the_control_is_readable_by_its_owner_only(tmp_path: Path) -> None:
    ready = Ready(providers={"aws": 4711}, key="00ff")
    ready.write(tmp_path)
    assert Ready.read(tmp_path) == ready
    assert [(file.name, file.stat().st_mode & 0o777) for file in tmp_path.iterdir()] == [("ready.json", 0o600)]


@pytest.mark.parametrize(
    ("network", "operator"),
    [("0.0.0.0/0", "203.0.113.10/24"), ("192.0.2.0/24", "192.0.2.10/24"), ("192.0.2.77/32", "192.0.2.77/24")],
)
def test_the_operators_address_is_in_the_first_admitted_network(network: str, operator: str) -> None:
    assert str(OutsideAddresses.admitted_by([network, "198.51.100.0/24"]).operator) == operator


def test_a_rule_for_a_group_admits_its_members_at_private_addresses_only() -> None:
    rules = ruleset({"sg-web": Group(ingress={"http": Rule("tcp", 80, 81, "sg-lb")}), "sg-lb": Group()}, [])
    assert "ip daddr @group_sg_2d_web ip saddr @group_sg_2d_lb ct status & dnat != dnat tcp dport 80-81 accept" in rules


def test_a_port_is_filtered_and_translated_as_its_groups_and_addresses_ask() -> None:
    filtered = Port("port1", "ens5", "10.20.1.4", SUBNET, ("sg-web",), "198.51.100.4")
    open_port = Port("port2", "eth0", "10.20.1.5", SUBNET, None)
    rules = ruleset({"sg-web": Group()}, [filtered, open_port])
    assert "set filtered { type ipv4_addr; elements = { 10.20.1.4 } }" in rules
    assert "set group_sg_2d_web { type ipv4_addr; elements = { 10.20.1.4 } }" in rules
    assert "map to_private { type ipv4_addr : ipv4_addr; elements = { 198.51.100.4 : 10.20.1.4 } }" in rules


def test_machines_that_lose_power_together_lose_their_links_in_one_operation() -> None:
    events: list[object] = []
    ports = {name: Port(name, "eth0", "10.20.1.4", SUBNET, ()) for name in ("port1", "port2", "port3")}
    machines = {
        name: Mock(spec=Machine, endpoint=Endpoint(name, (port,)), running=name != "port3")
        for name, port in ports.items()
    }
    for name, machine in machines.items():
        machine.name = name
        machine.power_off.side_effect = partial(events.append, name)
    region = Mock(spec=Region, machines=machines, network=Mock())
    region.network.cut.side_effect = lambda *cut: events.append([port.name for port in cut])
    FaultInjector(region).power_off("port1", "port2", "port3")
    assert events[0] == ["port1", "port2"]
    assert sorted(map(str, events[1:])) == ["port1", "port2", "port3"]


def test_only_the_first_interface_has_a_default_route() -> None:
    ports = [
        Port("port1", "eth0", "198.51.100.4", IPv4Network("198.51.100.0/24"), ()),
        Port("port2", "eth1", "10.20.1.4", SUBNET, ()),
    ]
    seed = nocloud_seed("i-1", "gfs1", ports, b"#cloud-config\n\xff", ["ssh-ed25519 AAAA"])
    interfaces = yaml.safe_load(seed["network-config"])["ethernets"]
    assert interfaces["eth0"]["routes"] == [{"to": "default", "via": "198.51.100.1"}]
    assert "routes" not in interfaces["eth1"]
    assert interfaces["eth1"]["addresses"] == ["10.20.1.4/24"]
    assert seed["user-data"] == b"#cloud-config\n\xff"
