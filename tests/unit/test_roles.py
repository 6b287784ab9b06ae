"""Node roles, and a site's move between clouds, topologies and web stacks by one setting each."""

from __future__ import annotations

from typing import Any

import pytest

from components.config.roles import NodeRoles, Role, node_roles
from tests.unit.graph import Graph, Secret, build
from tests.unit.rejection import error_lines

AWS: dict[str, Any] = {
    "aws:region": "us-east-1",
    "network": {"ssh_from": ["198.18.0.0/24"]},
    "site": {"admin_email": "editor@rehearsal.test"},
    "accept_plain_http": True,
}
HOST_KEY = f"ssh-ed25519 {'A' * 68}"
EXISTING: dict[str, Any] = {
    "cloud": "existing",
    "topology": "balancers",
    "web": "sessions",
    "ssh_private_key": "-----BEGIN OPENSSH PRIVATE KEY-----\n",
    "network": {"private": "10.0.0.0/24", "virtual_ip": "192.0.2.10"},
    "nodes": {
        name: {
            "role": role,
            "public": f"192.0.2.{at}",
            "private": f"10.0.0.{at}",
            "host_key": HOST_KEY,
            "disk": "/dev/vdb",
        }
        for at, (name, role) in enumerate(
            {"lb1": "balancer", "lb2": "balancer", "php1": "web", "php2": "web"}.items(), start=11
        )
    },
}


def test_converged_nodes_hold_and_serve_the_files() -> None:
    assert node_roles("converged", {"gfs2": None, "gfs1": None}, 0) == NodeRoles(["gfs1", "gfs2"], ["gfs1", "gfs2"], [])


def test_converged_nodes_may_have_balancers_in_front() -> None:
    roles: dict[str, Role | None] = {"server01": None, "server02": None, "lb1": "balancer", "lb2": "balancer"}
    servers = ["server01", "server02"]
    assert node_roles("converged", roles, 0) == NodeRoles(servers, servers, ["lb1", "lb2"])


def test_the_last_of_the_separate_storage_nodes_is_the_arbiter() -> None:
    roles: dict[str, Role | None] = {"app1": "web", "gfs1": "storage", "gfs3": "storage", "gfs2": "storage"}
    assert node_roles("separate", roles, 1) == NodeRoles(["gfs1", "gfs2", "gfs3"], ["app1"], [])


def test_balancers_hold_the_files_and_the_first_web_node_is_the_arbiter() -> None:
    roles: dict[str, Role | None] = {"php2": "web", "php1": "web", "lb1": "balancer", "lb2": "balancer"}
    assert node_roles("balancers", roles, 1) == NodeRoles(["lb1", "lb2", "php1"], ["php1", "php2"], ["lb1", "lb2"])


@pytest.mark.parametrize("cloud", ["aws", "digitalocean"])
@pytest.mark.parametrize("topology", ["converged", "separate", "balancers"])
@pytest.mark.parametrize("web", ["wordpress", "sessions"])
def test_one_setting_changes_the_cloud_the_topology_or_the_web_stack(cloud: str, topology: str, web: str) -> None:
    changes: dict[str, Any] = {"cloud": cloud, "topology": topology, "web": web, "nodes": {}, "gluster": {}}
    changes |= {"balancer": {}, "accept_plain_http": True}
    if web == "sessions":
        changes["site"] = {}
    if cloud == "digitalocean":
        changes |= {"database": {}, "balancer_token": "token"}
    graph = build("aws-wordpress", **changes)
    providers = {resource.type.split(":")[0] for resource in graph.resources.values()} & {"aws", "digitalocean"}
    assert providers == {cloud}
    assert bool(list(graph.of_type("balancer:Keepalived"))) == (topology == "balancers")
    assert bool(list(graph.of_type("sessions:Sessions"))) == (web == "sessions")
    assert graph.outputs["url"].startswith("http://")
    assert graph.outputs["balancer_address"]


@pytest.mark.parametrize(
    ("line", "minimal", "changes"),
    [
        (
            "topology: must be 'converged', 'separate' or 'balancers'; it is \"star\"",
            AWS,
            {"topology": "star", "nodes": {"a": {"zone": "us-east-1a"}}},
        ),
        (
            "web: apache needs servers that run it already; set cloud: existing, or choose another web",
            AWS,
            {"web": "apache", "site": {}},
        ),
        (
            "network.trusted_proxies: Apache's own configuration names them; omit it with web: apache",
            EXISTING,
            {"web": "apache", "network": EXISTING["network"] | {"trusted_proxies": ["198.51.100.0/24"]}},
        ),
        (
            "web: wordpress needs a managed database, which existing machines lack; set another web or cloud",
            EXISTING,
            {"web": "wordpress", "site": {"admin_email": "editor@rehearsal.test"}},
        ),
        (
            "site: applies to WordPress only; omit it with web: sessions",
            EXISTING,
            {"site": {"admin_email": "editor@rehearsal.test"}},
        ),
        (
            "nodes.php1.role: is 'storage'; topology balancers has: balancer, web",
            EXISTING,
            {
                "nodes": EXISTING["nodes"] | {"php1": EXISTING["nodes"]["php1"] | {"role": "storage"}},
                "gluster": {"replica": 2, "arbiter": 1},
            },
        ),
        (
            "nodes.lb1.role: is missing; topology balancers has: balancer, web",
            EXISTING,
            {
                "nodes": EXISTING["nodes"]
                | {"lb1": {key: value for key, value in EXISTING["nodes"]["lb1"].items() if key != "role"}}
                | {"lb3": EXISTING["nodes"]["lb2"] | {"public": "192.0.2.9", "private": "10.0.0.9"}}
            },
        ),
        (
            "nodes.lb1.disk: is missing, but the node holds a brick; name its spare disk",
            EXISTING,
            {
                "nodes": EXISTING["nodes"]
                | {"lb1": {key: value for key, value in EXISTING["nodes"]["lb1"].items() if key != "disk"}}
            },
        ),
        (
            "network.virtual_ip: is missing, but the balancers need a shared address; add it",
            EXISTING,
            {"network": {"private": "10.0.0.0/24"}},
        ),
        (
            "nodes.lb1.public: '192.0.2' is not an address; write one such as 192.0.2.10",
            EXISTING,
            {"nodes": EXISTING["nodes"] | {"lb1": EXISTING["nodes"]["lb1"] | {"public": "192.0.2"}}},
        ),
        (
            (
                "nodes.lb1.host_key: 'ssh-ed25519' is not a host key; write the type and the key that `ssh-keyscan` "
                "prints, without the address"
            ),
            EXISTING,
            {"nodes": EXISTING["nodes"] | {"lb1": EXISTING["nodes"]["lb1"] | {"host_key": "ssh-ed25519"}}},
        ),
        (
            (
                "ssh_private_key: is not a private key in OpenSSH's form; set it with: "
                "pulumi config set --secret ssh_private_key"
            ),
            EXISTING,
            {"ssh_private_key": "hunter2"},
        ),
        ("ssh_private_key: is missing; add it", EXISTING, {"ssh_private_key": ""}),
        (
            "nodes: lb1, lb2 share a zone; put each balancer in its own zone",
            AWS,
            {
                "topology": "balancers",
                "nodes": {
                    "lb1": {"zone": "us-east-1b", "role": "balancer"},
                    "lb2": {"zone": "us-east-1b", "role": "balancer"},
                    "app1": {"zone": "us-east-1c", "role": "web"},
                },
                "gluster": {"replica": 2, "arbiter": 1, "accept_shared_zones": True},
            },
        ),
    ],
)
def test_conflicting_settings_are_refused_with_the_reason(
    line: str, minimal: dict[str, Any], changes: dict[str, Any]
) -> None:
    assert line in error_lines(minimal, **changes)


def test_no_error_shows_the_private_key() -> None:
    assert "hunter2" not in "".join(error_lines(EXISTING, ssh_private_key="hunter2"))


@pytest.fixture(scope="module")
def aws_balancers() -> Graph:
    return build("aws-wordpress", topology="balancers", nodes={}, gluster={}, accept_plain_http=True)


def test_a_balancer_on_amazon_may_move_only_the_sites_address(aws_balancers: Graph) -> None:
    assert "ALLOCATION" in aws_balancers["remote.Command lb1-keepalived"].inputs["create"]
    assert aws_balancers["ec2.Instance lb1"].inputs["secondaryPrivateIps"] == ["10.20.1.250"]
    assert aws_balancers["ec2.Instance php1"].inputs.get("iamInstanceProfile") is None
    assert "iam.RolePolicy entrance" in aws_balancers.after("ec2.Instance lb1")
    assert not list(aws_balancers.of_type("lb.LoadBalancer"))


def test_a_new_host_key_reruns_the_steps_of_an_existing_machine() -> None:
    graph = build("php-sessions")
    step = graph["remote.Command lb1-packages"]
    assert step.deleted_with == ""
    assert step.inputs["triggers"][0].startswith("ssh-ed25519 ")
    assert not isinstance(step.inputs["triggers"][0], Secret)
