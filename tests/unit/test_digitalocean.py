"""The stack on DigitalOcean: open ports, dependencies, data protection, and the effect of one more droplet."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from ipaddress import IPv4Address, IPv4Network
from typing import Any

import pulumi
import pytest
from pulumi.runtime import mocks

from components.cloud.digitalocean.vxlan_tunnel import tunnel_address
from tests.unit import graph as recorded
from tests.unit.graph import Graph, Secret, build, committed, run, text
from tests.unit.test_safety import visible_texts

STORAGE = ["gfs1", "gfs2", "gfs3"]
APPS = ["app1", "app2"]
NODES = {name: {"role": "storage"} for name in STORAGE} | {name: {"role": "web"} for name in APPS}
SITE = {"admin_email": "editor@rehearsal.test", "domain": "www.rehearsal.test"}
TAG = "ha-wordpress-digitalocean-wordpress-0a1b2c3d"
"""The tag of all the stack's droplets: no other project or stack of the account has it."""

DATA = [
    "digitalocean.DatabaseCluster database",
    "digitalocean.DatabaseDb wordpress",
    *(f"digitalocean.Volume {name}-data" for name in STORAGE),
]


def stack(**changes: Any) -> Graph:
    return build("digitalocean-wordpress", **changes)


@pytest.fixture(scope="module")
def graph() -> Graph:
    """The committed stack. Tests must not change it."""
    return stack()


def firewall_rules(graph: Graph) -> Iterator[str]:
    """Every firewall rule as a line of text."""
    for firewall in graph.of_type("digitalocean.Firewall"):
        for direction, end in (("inbound", "source"), ("outbound", "destination")):
            for rule in firewall.inputs.get(f"{direction}Rules", []):
                peers = [
                    f"{kind} {value}"
                    for kind in ("Addresses", "Tags", "DropletIds", "LoadBalancerUids")
                    for value in rule.get(f"{end}{kind}", [])
                ]
                preposition = "from" if direction == "inbound" else "to"
                for tag in firewall.inputs["tags"]:
                    ports = rule.get("portRange", "all")
                    yield f"{tag}: {rule['protocol']} {ports} {preposition} {', '.join(peers)}"


def test_only_these_ports_are_open(graph: Graph) -> None:
    anywhere = "Addresses 0.0.0.0/0, Addresses ::/0"
    assert sorted(firewall_rules(graph)) == [
        f"{TAG}-web: tcp 5514 from Tags {TAG}-web",
        f"{TAG}-web: tcp 80 from LoadBalancerUids id-of-balancer",
        f"{TAG}-web: tcp 80 from Tags {TAG}-web",
        f"{TAG}-web: tcp 8080 from Tags {TAG}-web",
        f"{TAG}: icmp all to {anywhere}",
        f"{TAG}: tcp 1-65535 to {anywhere}",
        f"{TAG}: tcp 22 from Addresses 198.18.0.0/24",
        f"{TAG}: tcp 24007 from Addresses 10.30.0.0/16",
        f"{TAG}: tcp 49152-49251 from Addresses 10.30.0.0/16",
        f"{TAG}: udp 1-65535 to {anywhere}",
    ]


def test_ssh_is_open_to_every_configured_network() -> None:
    graph = stack(network={"ssh_from": ["198.18.0.0/24", "198.18.1.7"]})
    assert f"{TAG}: tcp 22 from Addresses 198.18.0.0/24, Addresses 198.18.1.7/32" in firewall_rules(graph)


def test_the_firewall_opens_the_ports_that_glusterd_uses() -> None:
    graph = stack(gluster={"ports": "50000-50009", "replica": 2, "arbiter": 1})
    assert f"{TAG}: tcp 50000-50009 from Addresses 10.30.0.0/16" in firewall_rules(graph)
    assert "BASE_PORT=50000 MAX_PORT=50009" in graph["remote.Command gfs1-glusterd"].inputs["create"]


def test_storage_ports_are_open_to_the_stacks_own_vpc(graph: Graph) -> None:
    assert graph["digitalocean.Vpc network"].inputs["ipRange"] == "10.30.0.0/16"
    for name in NODES:
        assert graph[f"digitalocean.Droplet {name}"].inputs["vpcUuid"] == "id-of-network"


@pytest.mark.parametrize("node", NODES)
def test_a_droplet_waits_for_its_firewalls(graph: Graph, node: str) -> None:
    assert "digitalocean.Firewall nodes" in graph.waits(f"digitalocean.Droplet {node}")
    tags = [TAG, *([f"{TAG}-web"] if node in APPS else [])]
    assert graph[f"digitalocean.Droplet {node}"].inputs["tags"] == tags


def test_a_stack_keeps_its_tags_because_a_droplet_is_unprotected_while_they_change(graph: Graph) -> None:
    for name, tag in (("site", TAG), ("web", f"{TAG}-web")):
        assert graph[f"digitalocean.Tag {name}"].inputs == {"name": tag}
        assert graph[f"digitalocean.Tag {name}"].ignore_changes == ("name",)


def test_no_firewall_of_another_stack_has_the_same_name(graph: Graph) -> None:
    names = {firewall.name: firewall.inputs["name"] for firewall in graph.of_type("digitalocean.Firewall")}
    assert names == {"nodes": f"{TAG}-nodes", "web": f"{TAG}-web"}


def test_an_existing_vpc_is_used_and_its_other_droplets_reach_no_port() -> None:
    uuid = "5a4981aa-9653-4bd1-bef5-d6bff52042e4"
    graph = stack(network={"ssh_from": ["198.18.0.0/24"], "vpc": uuid})
    assert not list(graph.of_type("digitalocean.Vpc"))
    for key in ("Droplet gfs1", "LoadBalancer balancer"):
        assert graph[f"digitalocean.{key}"].inputs["vpcUuid"] == uuid
    assert graph["digitalocean.DatabaseCluster database"].inputs["privateNetworkUuid"] == uuid
    assert f"{TAG}: tcp 24007 from Tags {TAG}" in firewall_rules(graph)
    assert not [rule for rule in firewall_rules(graph) if "10." in rule]
    assert "10.117.0.0/20" in str(graph["remote.Command gfs1-firewall"].inputs["create"])


def test_a_shutdown_has_time_and_a_disk_never_grows(graph: Graph) -> None:
    droplet = graph["digitalocean.Droplet gfs1"]
    assert droplet.inputs["resizeDisk"] is False
    assert droplet.delete_timeout == "10m"


def test_the_database_admits_only_the_sites_droplets(graph: Graph) -> None:
    firewall = graph["digitalocean.DatabaseFirewall database"].inputs
    assert firewall == {"clusterId": "id-of-database", "rules": [{"type": "tag", "value": TAG}]}
    cluster = graph["digitalocean.DatabaseCluster database"].inputs
    assert cluster["privateNetworkUuid"] == "id-of-network"
    assert cluster["nodeCount"] == 2


def test_php_trusts_the_certificate_authority_of_the_cluster(graph: Graph) -> None:
    assert "digitalocean.DatabaseCluster database" in graph.waits("remote.Command app1-web")
    assert "certificate-of-the-database" in graph["remote.Command app1-web"].inputs["create"]


def test_wordpress_gets_the_private_address_and_a_secret_password(graph: Graph) -> None:
    step = graph["remote.Command app1-wordpress-site"].inputs
    assert "DB_HOST=database.example:25060 DB_NAME=wordpress DB_USER=wordpress" in step["create"]
    assert isinstance(step["stdin"], Secret)
    assert "DB_PASSWORD=SECRET-wordpress\n" in step["stdin"].value


def test_the_installation_waits_until_the_database_is_reachable(graph: Graph) -> None:
    assert graph.waits("remote.Command app1-wordpress-site") >= {
        "digitalocean.DatabaseDb wordpress",
        "digitalocean.DatabaseUser wordpress",
        "digitalocean.DatabaseFirewall database",
    }


def test_two_failed_checks_take_an_app_droplet_out(graph: Graph) -> None:
    balancer = graph["digitalocean.LoadBalancer balancer"].inputs
    assert balancer["dropletTag"] == f"{TAG}-web"
    assert balancer["sizeUnit"] == 2
    assert balancer["healthcheck"] == {
        "protocol": "http",
        "port": 80,
        "path": "/healthz",
        "checkIntervalSeconds": 3,
        "responseTimeoutSeconds": 3,
        "healthyThreshold": 2,
        "unhealthyThreshold": 2,
    }


def test_the_load_balancer_admits_visitors_from_trusted_proxies_only_if_the_settings_say_so(graph: Graph) -> None:
    assert "firewall" not in graph["digitalocean.LoadBalancer balancer"].inputs
    network = {
        "ssh_from": ["198.18.0.0/24"],
        "trusted_proxies": ["198.18.100.0/24", "2001:4860::/32"],
        "only_trusted_proxies": True,
    }
    closed = build("digitalocean-wordpress", network=network)["digitalocean.LoadBalancer balancer"].inputs
    assert closed["firewall"] == {"allows": ["cidr:198.18.100.0/24"]}


def test_the_load_balancer_and_the_database_wait_for_no_droplet(graph: Graph) -> None:
    """Both take minutes to create, so they must start first."""
    for key in ("digitalocean.LoadBalancer balancer", "digitalocean.DatabaseFirewall database"):
        assert not [need for need in graph.after(key) if need.startswith("digitalocean.Droplet")]


def test_without_a_certificate_the_site_uses_http() -> None:
    graph = stack(accept_plain_http=True, balancer={}, site={"admin_email": "editor@rehearsal.test"})
    balancer = graph["digitalocean.LoadBalancer balancer"].inputs
    assert balancer["forwardingRules"] == [
        {"entryProtocol": "http", "entryPort": 80, "targetProtocol": "http", "targetPort": 80}
    ]
    assert balancer["redirectHttpToHttps"] is False
    assert graph.outputs["url"] == "http://ip-of-balancer"


def https_rule(graph: Graph) -> dict[str, Any]:
    """The load balancer's forwarding rule for HTTPS; HTTP must redirect to it."""
    balancer = graph["digitalocean.LoadBalancer balancer"].inputs
    assert balancer["redirectHttpToHttps"] is True
    _, rule = balancer["forwardingRules"]
    assert (rule["entryProtocol"], rule["entryPort"]) == ("https", 443)
    assert (rule["targetProtocol"], rule["targetPort"]) == ("http", 80)
    return dict(rule)


def test_the_operators_certificate_is_used_and_none_is_made() -> None:
    graph = stack(balancer={"certificate_name": "www"}, site=SITE)
    assert https_rule(graph)["certificateName"] == "www"
    assert not [*graph.of_type("digitalocean.Certificate"), *graph.of_type("digitalocean.DnsRecord")]
    assert graph.outputs["url"] == "https://www.rehearsal.test"
    assert graph.outputs["balancer_address"] == "ip-of-balancer"
    assert graph.outputs["dns_records"] == [{"type": "A", "name": "www.rehearsal.test", "value": "ip-of-balancer"}]


@pytest.mark.parametrize(
    ("domain", "name"), [("www.rehearsal.test", "www"), ("a.b.rehearsal.test", "a.b"), ("rehearsal.test", "@")]
)
def test_a_domain_at_digitalocean_gives_the_site_a_certificate_and_a_record(domain: str, name: str) -> None:
    graph = stack(balancer={"dns_zone": "rehearsal.test"}, site=SITE | {"domain": domain})
    assert graph["digitalocean.Certificate balancer"].inputs == {"type": "lets_encrypt", "domains": [domain]}
    assert https_rule(graph)["certificateName"] == "balancer-1a2b3c4"
    assert graph["digitalocean.DnsRecord balancer"].inputs == {
        "domain": "rehearsal.test", "type": "A", "name": name, "value": "ip-of-balancer",
    }  # fmt: skip
    assert graph.outputs["url"] == f"https://{domain}"
    assert "dns_records" not in graph.outputs


def test_no_droplet_and_no_step_waits_for_the_certificate() -> None:
    graph = stack(balancer={"dns_zone": "rehearsal.test"}, site=SITE)
    assert {key for key in graph.resources if "digitalocean.Certificate balancer" in graph.after(key)} == {
        "digitalocean.LoadBalancer balancer", "digitalocean.DnsRecord balancer", "digitalocean.Firewall web",
    }  # fmt: skip


def test_a_domain_at_digitalocean_beside_the_operators_certificate_gives_the_record_only() -> None:
    balancer = {"dns_zone": "rehearsal.test", "certificate_name": "www"}
    graph = stack(balancer=balancer, site=SITE)
    assert https_rule(graph)["certificateName"] == "www"
    assert not list(graph.of_type("digitalocean.Certificate"))
    assert list(graph.of_type("digitalocean.DnsRecord"))


@pytest.mark.parametrize("key", DATA)
def test_data_is_protected_and_kept(graph: Graph, key: str) -> None:
    assert graph[key].protect
    assert graph[key].retain_on_delete


def test_nothing_but_data_is_protected(graph: Graph) -> None:
    assert sorted(key for key, resource in graph.resources.items() if resource.protect) == DATA


def test_one_setting_removes_all_protection() -> None:
    unprotected = stack(protect_data=False)
    resources = unprotected.resources
    kept = [key for key, resource in resources.items() if resource.protect or resource.retain_on_delete]
    # a droplet gives its disk up by itself
    assert kept == [key for key in resources if key.startswith("digitalocean.VolumeAttachment ")]


def test_generated_names_of_kept_data_never_clash_with_a_new_stacks(graph: Graph) -> None:
    for key in DATA:
        if not key.endswith(" wordpress"):
            assert "name" not in graph[key].inputs
            assert graph[key].inputs["tags"] == [TAG]


def test_only_nodes_with_a_brick_have_a_disk(graph: Graph) -> None:
    disks = [volume.name for volume in graph.of_type("digitalocean.Volume")]
    assert sorted(disks) == [f"{name}-data" for name in STORAGE]


def test_disks_are_found_by_digitaloceans_names(graph: Graph) -> None:
    text = graph["remote.Command gfs1-brick"].inputs["create"]
    assert "DISK=/dev/disk/by-id/scsi-0DO_Volume_gfs1-data-1a2b3c4 " in text


@pytest.mark.parametrize("node", NODES)
def test_a_new_image_or_new_user_data_changes_no_existing_machine(graph: Graph, node: str) -> None:
    assert graph[f"digitalocean.Droplet {node}"].ignore_changes == ("image", "userData")


def test_a_replaced_machine_releases_its_disk_first(graph: Graph) -> None:
    assert graph["digitalocean.Droplet gfs1"].delete_before_replace
    attachment = graph["digitalocean.VolumeAttachment gfs1-data"]
    assert attachment.delete_before_replace
    # a droplet gives its disk up by its own shutdown, and the disk is deleted after it
    assert attachment.retain_on_delete
    assert "digitalocean.Volume gfs1-data" in graph.waits("digitalocean.Droplet gfs1")
    assert "digitalocean.Droplet gfs1" not in graph.after("digitalocean.Volume gfs1-data")


def test_user_data_contains_the_host_key_and_is_secret(graph: Graph) -> None:
    user_data = graph["digitalocean.Droplet gfs1"].inputs["userData"]
    assert isinstance(user_data, Secret)
    assert "SECRET-key-of-gfs1-host-key" in user_data.value


def test_steps_log_in_as_root_and_check_the_host_key(graph: Graph) -> None:
    for step in graph.of_type("remote.Command"):
        node = step.name.split("-")[0]
        connection = step.inputs["connection"].value
        assert (connection["user"], connection["host"]) == ("root", f"public-of-{node}")
        assert connection["hostKey"] == f"ssh-ed25519 public-key-of-{node}-host-key"


def test_one_more_app_droplet_changes_only_the_others_lists_of_web_nodes(graph: Graph) -> None:
    grown = stack(nodes=NODES | {"app3": {"role": "web"}})
    assert not graph.resources.keys() - grown.resources.keys()
    changed = {key for key, resource in graph.resources.items() if resource != grown[key]}
    assert changed == {f"remote.Command {node}-vcl" for node in ("app1", "app2")}
    new = grown.resources.keys() - graph.resources.keys()
    assert "digitalocean.Droplet app3" in new
    assert {key.split()[-1].split("-")[0] for key in new} == {"app3"}


def test_a_stack_name_that_digitalocean_rejects_is_refused_early() -> None:
    settings = committed("digitalocean-wordpress")
    with pytest.raises(pulumi.RunError, match=r"name 'my\.site' is not accepted in names on DigitalOcean; use only"):
        run({name: text(value) for name, value in settings.items()}, "my.site")


class DropletAddresses(recorded.Outputs):
    """Mock outputs with a valid private address for each droplet."""

    def new_resource(self, args: mocks.MockResourceArgs) -> tuple[str | None, dict[str, Any]]:
        id_, outputs = super().new_resource(args)
        if args.typ == "digitalocean:index/droplet:Droplet":
            place = ["lb1", "lb2", "php1", "php2"].index(args.name)
            outputs["ipv4AddressPrivate"] = f"10.30.1.{place + 1}"
        return id_, outputs


def droplet_id(name: str) -> str:
    """Droplet id as the cloud returns it: a number."""
    return str(zlib.crc32(name.encode()))


@pytest.fixture(scope="module")
def balancers() -> Iterator[Graph]:
    """PHP sessions behind the site's own balancers."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(recorded, "Outputs", DropletAddresses)
        yield stack(topology="balancers", web="sessions", nodes={}, site={}, balancer={}, balancer_token="SECRET-token")


def test_open_ports_of_a_site_with_its_own_balancers(balancers: Graph) -> None:
    anywhere = "Addresses 0.0.0.0/0, Addresses ::/0"
    assert sorted(rule for rule in firewall_rules(balancers) if " to " not in rule) == [
        f"{TAG}-entrance: tcp 443 from {anywhere}",
        f"{TAG}-entrance: tcp 80 from {anywhere}",
        f"{TAG}-entrance: udp 4789 from Addresses 10.30.0.0/16",
        f"{TAG}: tcp 22 from Addresses 198.18.0.0/24",
        f"{TAG}: tcp 24007 from Addresses 10.30.0.0/16",
        f"{TAG}: tcp 49152-49251 from Addresses 10.30.0.0/16",
        f"{TAG}: tcp 80 from Addresses 10.30.0.0/16",
    ]
    tags = {droplet.name: droplet.inputs["tags"] for droplet in balancers.of_type("digitalocean.Droplet")}
    site = [TAG]
    virtual_ip = [*site, f"{TAG}-entrance"]
    assert tags == {"lb1": virtual_ip, "lb2": virtual_ip, "php1": site, "php2": site}


def test_a_balancer_takes_the_tunnels_packets_and_vrrp_from_the_other_balancers_only(balancers: Graph) -> None:
    other = balancers.outputs["nodes"]["lb2"]["private"]
    rules = balancers["remote.Command lb1-firewall"].inputs["create"]
    assert f"udp dport 4789 ip saddr {{ {other} }} accept\n        udp dport 4789 drop\n" in rules
    assert f"meta l4proto 112 ip saddr {{ {tunnel_address(other)} }} accept\n        meta l4proto 112 drop\n" in rules


def test_own_balancers_replace_the_load_balancer(balancers: Graph) -> None:
    assert not list(balancers.of_type("digitalocean.LoadBalancer"))
    assert not list(balancers.of_type("digitalocean.DatabaseCluster"))
    assert balancers.outputs["url"] == "http://ip-of-entrance"


def test_the_program_assigns_the_address_once_and_the_nodes_move_it_later(balancers: Graph) -> None:
    reserved = balancers["digitalocean.ReservedIp entrance"]
    assert reserved.inputs["dropletId"] == int(droplet_id("lb1"))
    assert reserved.ignore_changes == ("dropletId",)
    for node in ("lb1", "lb2"):
        step = balancers[f"remote.Command {node}-keepalived"].inputs
        assert f"ADDRESS=ip-of-entrance\nDROPLET={droplet_id(node)}\n" in step["create"]
        assert isinstance(step["stdin"], Secret)
        assert step["stdin"].value == "TOKEN=SECRET-token\n"


def test_no_resource_shows_the_token(balancers: Graph) -> None:
    for resource in balancers.resources.values():
        assert not [text for text in visible_texts(resource.inputs) if "SECRET" in text], resource.key


def test_vrrp_uses_the_tunnel(balancers: Graph) -> None:
    tunnel = balancers["remote.Command lb1-link"].inputs["create"]
    assert "env LOCAL=10.30.1.1 REMOTES=10.30.1.2 ADDRESS=198.19.1.1 " in tunnel
    keepalived = balancers["remote.Command lb1-keepalived"]
    assert "unicast_src_ip 198.19.1.1" in keepalived.inputs["create"]
    assert {"remote.Command lb1-link", "remote.Command lb2-link"} <= keepalived.waits_for


def test_tunnel_addresses_are_unique_in_the_largest_vpc() -> None:
    nodes = [str(address) for address in IPv4Network("10.30.0.0/16")]
    assert len({tunnel_address(node) for node in nodes}) == len(nodes)
    assert all(IPv4Address(tunnel_address(node)) in IPv4Network("198.19.0.0/16") for node in nodes[::1000])
