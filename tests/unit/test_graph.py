"""The resources of each stack, and their dependencies."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from syrupy.assertion import SnapshotAssertion
from syrupy.extensions.single_file import SingleFileSnapshotExtension, WriteMode

from tests.unit.graph import ROOT, Graph, Resource, build, private_address

NODES = ["gfs1", "gfs2", "gfs3"]
SITE = {"admin_email": "editor@rehearsal.test", "domain": "www.rehearsal.test"}
ZONE = "Z0123456789ABC"
ARN = "arn:aws:acm:us-east-1:123456789012:certificate/x"
STACKS = sorted(path.name.split(".")[1] for path in (ROOT / "stacks").glob("Pulumi.*.yaml"))


class AsText(SingleFileSnapshotExtension):
    _write_mode = WriteMode.TEXT
    file_extension = "txt"


def drawn(graph: Graph) -> Iterator[str]:
    """The graph as text, for a diff to read: one line a resource, one a dependency (`<-`), one an option (`*`).

    A resource is indented under the component that it belongs to.
    """

    def below(parent: str, indent: str) -> Iterator[str]:
        for resource in sorted(graph.resources.values(), key=lambda one: one.key):
            if resource.parent == parent:
                yield f"{indent}{resource.key}"
                yield from (f"{indent}    <- {dependency}" for dependency in sorted(graph.waits(resource.key)))
                yield from (f"{indent}    * {option}" for option in options(resource))
                yield from below(resource.key, f"{indent}  ")

    def options(resource: Resource) -> Iterator[str]:
        if resource.protect:
            yield "protected"
        if resource.retain_on_delete:
            yield "kept when deleted"
        if resource.delete_before_replace:
            yield "deleted before it is replaced"
        if resource.deleted_with:
            yield f"deleted with {resource.deleted_with}"
        yield from (f"ignores changes of {name}" for name in resource.ignore_changes)

    yield from below("", "")
    yield from (f"output {name}" for name in sorted(graph.outputs))


@pytest.mark.parametrize("stack", STACKS)
def test_the_graph_of_a_stack_is_the_one_on_record(stack: str, snapshot: SnapshotAssertion) -> None:
    """A pull request that changes the graph shows the change here: `pytest --snapshot-update` records it."""
    assert "\n".join(drawn(build(stack))) + "\n" == snapshot(extension_class=AsText)


@pytest.mark.parametrize("node", NODES)
def test_a_brick_waits_for_its_own_machine_and_disk_and_for_no_other(aws_wordpress: Graph, node: str) -> None:
    assert aws_wordpress.waits(f"remote.Command {node}-brick") == {
        f"remote.Command {node}-ready",
        f"ec2.VolumeAttachment {node}-data",
    }
    others = {name for name in NODES if name != node}
    assert not [need for need in aws_wordpress.after(f"remote.Command {node}-brick") if need.split()[-1] in others]


@pytest.mark.parametrize("step", ["brick", "certificate", "firewall", "hosts"])
def test_the_steps_of_one_node_do_not_wait_for_each_other(aws_wordpress: Graph, step: str) -> None:
    before = {need for need in aws_wordpress.after(f"remote.Command gfs2-{step}") if "remote.Command" in need}
    assert before == {"remote.Command gfs2-ready"}


@pytest.mark.parametrize("node", NODES)
def test_glusterd_and_the_mount_wait_for_the_firewall_and_for_tls(aws_wordpress: Graph, node: str) -> None:
    guards = {f"remote.Command {node}-{step}" for step in ("firewall", "certificate")}
    assert aws_wordpress.waits(f"remote.Command {node}-glusterd") == guards
    assert guards <= aws_wordpress[f"remote.Command {node}-mount"].waits_for


def test_a_node_takes_its_place_again_when_the_others_know_its_address(aws_wordpress: Graph) -> None:
    for node in NODES:
        rejoin = f"remote.Command {node}-rejoin"
        assert aws_wordpress.waits(rejoin) == {
            f"remote.Command {node}-glusterd",
            f"remote.Command {node}-brick",
            *(f"remote.Command {each}-hosts" for each in NODES),
        }
        steps = {need for need in aws_wordpress.after(rejoin) if need.startswith("remote.Command ")}
        of_others = {need for need in steps if not need.startswith(f"remote.Command {node}-")}
        assert all(need.endswith(("-hosts", "-ready")) for need in of_others), of_others


def test_peers_wait_until_every_node_has_its_place(aws_wordpress: Graph) -> None:
    assert aws_wordpress.waits("remote.Command gfs1-peers") == {f"remote.Command {node}-rejoin" for node in NODES}


def test_the_first_node_is_probed_back_by_name(aws_wordpress: Graph) -> None:
    assert "PEERS='node-gfs2 node-gfs3'" in command(aws_wordpress, "gfs1-peers")
    assert "PEERS=node-gfs1" in command(aws_wordpress, "gfs2-peers")


def test_the_volume_waits_for_the_peers(aws_wordpress: Graph) -> None:
    assert aws_wordpress.waits("remote.Command gfs1-volume-wp") == {"remote.Command gfs2-peers"}


@pytest.mark.parametrize(
    ("stack", "bricks", "written"),
    [
        ("aws-wordpress", ["gfs1", "gfs2", "gfs3"], {"gfs1-wordpress-site"}),
        ("digitalocean-wordpress", ["gfs1", "gfs2", "gfs3"], {"app1-wordpress-site"}),
        ("existing-apache", ["server01", "server02"], {"server02-apache"}),
        ("php-sessions", ["lb1", "lb2", "php1"], {"lb1-volume-sessions"}),
    ],
)
def test_every_brick_is_flushed_after_the_last_step_that_writes(
    stack: str, bricks: list[str], written: set[str]
) -> None:
    graph = build(stack)
    for brick in bricks:
        assert graph.waits(f"remote.Command {brick}-flush") == {f"remote.Command {step}" for step in written}


@pytest.mark.parametrize("node", NODES)
def test_a_mount_waits_for_the_volume_and_the_names_on_its_node(aws_wordpress: Graph, node: str) -> None:
    assert aws_wordpress.waits(f"remote.Command {node}-mount") == {"remote.Command gfs1-volume-wp"}
    assert f"remote.Command {node}-hosts" in aws_wordpress[f"remote.Command {node}-mount"].waits_for


def test_the_mounts_form_a_ring(aws_wordpress: Graph) -> None:
    for node, server, backups in [
        ("gfs1", "node-gfs2", "node-gfs3:node-gfs1"),
        ("gfs2", "node-gfs3", "node-gfs1:node-gfs2"),
        ("gfs3", "node-gfs1", "node-gfs2:node-gfs3"),
    ]:
        assert f"SOURCE={server}:/wp BACKUPS={backups} " in command(aws_wordpress, f"{node}-mount")


@pytest.mark.parametrize("node", NODES)
def test_the_web_server_waits_for_nothing_but_its_machine(aws_wordpress: Graph, node: str) -> None:
    assert aws_wordpress.waits(f"remote.Command {node}-web") == {f"remote.Command {node}-ready"}


def test_the_code_is_copied_while_the_database_is_being_made(aws_wordpress: Graph) -> None:
    assert "rds.Instance database" not in aws_wordpress.after("remote.Command gfs1-wordpress-code")


def test_the_installation_waits_for_code_php_and_database(aws_wordpress: Graph) -> None:
    assert aws_wordpress.waits("remote.Command gfs1-wordpress-site") >= {
        "remote.Command gfs1-wordpress-code",
        "remote.Command gfs1-web",
        "rds.Instance database",
        "vpc.SecurityGroupIngressRule database-mysql",
    }


def test_the_installation_waits_for_the_load_balancer_only_where_its_address_is_the_sites() -> None:
    step, balancer = "remote.Command gfs1-wordpress-site", "lb.LoadBalancer balancer"
    assert balancer not in build().after(step)
    plain = build(accept_plain_http=True, balancer={}, site={"admin_email": "editor@rehearsal.test"})
    assert balancer in plain.waits(step)
    assert plain.outputs["url"] == "http://balancer.example"
    assert not list(plain.of_type("acm.Certificate"))


@pytest.mark.parametrize("node", NODES)
def test_a_machine_boots_only_once_it_has_egress(aws_wordpress: Graph, node: str) -> None:
    zone = {"gfs1": "us-east-1b", "gfs2": "us-east-1c", "gfs3": "us-east-1d"}[node]
    assert aws_wordpress.waits(f"ec2.Instance {node}") >= {
        f"ec2.RouteTableAssociation {zone}",
        "vpc.SecurityGroupEgressRule node-out",
    }


@pytest.mark.parametrize("node", NODES)
def test_a_machine_is_reached_at_its_elastic_ip_which_is_allocated_while_it_boots(
    aws_wordpress: Graph, node: str
) -> None:
    assert aws_wordpress.waits(f"ec2.EipAssociation {node}") == {f"ec2.Instance {node}", f"ec2.Eip {node}"}
    assert not [need for need in aws_wordpress.after(f"ec2.Eip {node}") if ":" not in need]
    assert f"ec2.EipAssociation {node}" in aws_wordpress.waits(f"remote.Command {node}-ready")
    assert aws_wordpress[f"ec2.Instance {node}"].inputs["associatePublicIpAddress"] is True


@pytest.mark.parametrize("node", NODES)
def test_every_step_of_a_machine_waits_until_it_is_ready_and_goes_with_it(aws_wordpress: Graph, node: str) -> None:
    steps = [step for step in aws_wordpress.of_type("remote.Command") if step.name.startswith(f"{node}-")]
    assert len(steps) > 4
    for step in steps:
        assert step.deleted_with == f"ec2.Instance {node}"
        assert step.inputs["triggers"] == [f"id-of-{node}"]
        if step.name != f"{node}-ready":
            assert f"remote.Command {node}-ready" in aws_wordpress.after(step.key)


def test_a_machine_is_reached_only_once_every_port_that_it_needs_is_open(aws_wordpress: Graph) -> None:
    rules = {
        rule.key for rule in aws_wordpress.of_type("vpc.SecurityGroupIngressRule") if rule.name.startswith("node-")
    }
    assert len(rules) == 7
    assert rules <= aws_wordpress.waits("remote.Command gfs1-ready")


def test_the_outputs_name_addresses_and_logins(aws_wordpress: Graph) -> None:
    assert aws_wordpress.outputs["url"] == "https://www.rehearsal.test"
    assert aws_wordpress.outputs["nodes"]["gfs2"] == {
        "private": private_address("gfs2"),
        "public": "elastic-ip-of-gfs2",
        "ssh": "ssh admin@elastic-ip-of-gfs2",
    }
    assert aws_wordpress.outputs["admin_user"] == "editor"


def test_adding_a_node_leaves_the_machines_disks_and_bricks_of_the_others_as_they_are(aws_wordpress: Graph) -> None:
    grown = build(
        nodes={name: {"zone": f"us-east-1{letter}"} for name, letter in zip([*NODES, "gfs4"], "bcdf", strict=True)},
        gluster={"replica": 4},
    )
    gone = aws_wordpress.resources.keys() - grown.resources.keys()
    new = grown.resources.keys() - aws_wordpress.resources.keys()
    changed = {
        key
        for key, resource in aws_wordpress.resources.items()
        if key in grown.resources and resource.inputs != grown[key].inputs
    }
    assert not gone
    assert {key.split()[-1].split("-")[0] for key in new} == {"gfs4", "us"}
    assert changed == {
        # the zone's subnet
        "rds.SubnetGroup database",
        "lb.LoadBalancer balancer",
        # the new node's name and address
        *(f"remote.Command {node}-hosts" for node in NODES),
        *(f"remote.Command {node}-rejoin" for node in NODES),
        "remote.Command gfs1-peers",
        "remote.Command gfs2-peers",
        "remote.Command gfs1-volume-wp",
        # the mount's servers, the fallback web nodes, the receivers of hits
        *(f"remote.Command {node}-{step}" for node in NODES for step in ("mount", "vcl", "fail2ban")),
    }


@pytest.mark.parametrize("domain", ["www.rehearsal.test", "rehearsal.test"])
def test_a_hosted_zone_gives_the_site_a_certificate_and_a_record(domain: str) -> None:
    graph = build(balancer={"zone_id": ZONE}, site=SITE | {"domain": domain})
    assert graph["acm.Certificate site"].inputs["domainName"] == domain
    assert graph["acm.Certificate site"].inputs["validationMethod"] == "DNS"
    assert graph["route53.Record site-validation"].inputs == {
        "zoneId": ZONE,
        "name": f"_validation.{domain}.",
        "type": "CNAME",
        "records": ["validation-of-site."],
        "ttl": 300,
        "allowOverwrite": True,
    }
    assert graph["acm.CertificateValidation site"].inputs == {
        "certificateArn": "arn:aws:acm:us-east-1:123456789012:certificate/site",
        "validationRecordFqdns": ["fqdn-of-site-validation"],
    }
    assert graph["lb.Listener https"].inputs["certificateArn"] == "issued-site"
    # an alias works at the zone's apex too
    assert graph["route53.Record site"].inputs == {
        "zoneId": ZONE,
        "name": domain,
        "type": "A",
        "aliases": [{"name": "balancer.example", "zoneId": "zone-of-balancer", "evaluateTargetHealth": False}],
    }
    assert graph.outputs["url"] == f"https://{domain}"
    assert graph.outputs["balancer_address"] == "balancer.example"
    assert "dns_records" not in graph.outputs


def test_only_the_https_listener_waits_for_the_certificate() -> None:
    graph = build(balancer={"zone_id": ZONE}, site=SITE)
    validation = "acm.CertificateValidation site"
    assert {key for key in graph.resources if validation in graph.after(key)} == {"lb.Listener https"}


def test_the_operators_certificate_is_used_and_none_is_made() -> None:
    graph = build(balancer={"certificate_arn": ARN}, site=SITE)
    assert graph["lb.Listener http"].inputs["defaultActions"][0]["redirect"]["statusCode"] == "HTTP_301"
    assert graph["lb.Listener https"].inputs["certificateArn"] == ARN
    assert graph["lb.Listener https"].inputs["defaultActions"][0]["type"] == "forward"
    assert not [*graph.of_type("acm.Certificate"), *graph.of_type("route53.Record")]
    assert graph.outputs["url"] == "https://www.rehearsal.test"
    assert "URL=https://www.rehearsal.test" in command(graph, "gfs1-wordpress-site")
    assert graph.outputs["dns_records"] == [
        {"type": "CNAME, or ALIAS at a zone's apex", "name": "www.rehearsal.test", "value": "balancer.example"}
    ]


def test_a_hosted_zone_beside_the_operators_certificate_gives_the_record_only() -> None:
    graph = build(balancer={"certificate_arn": ARN, "zone_id": ZONE}, site=SITE)
    assert graph["lb.Listener https"].inputs["certificateArn"] == ARN
    assert not list(graph.of_type("acm.Certificate"))
    assert [record.name for record in graph.of_type("route53.Record")] == ["site"]
    assert "dns_records" not in graph.outputs


def test_an_existing_vpc_is_used_and_none_is_made() -> None:
    zones = ["us-east-1b", "us-east-1c", "us-east-1d"]
    graph = build(
        network={
            "ssh_from": ["198.18.0.0/24"],
            "vpc": "vpc-0123456789abcdef0",
            "subnets": {zone: f"subnet-{zone}" for zone in zones},
        }
    )
    for type_ in ("ec2.Vpc", "ec2.Subnet", "ec2.InternetGateway", "ec2.RouteTable"):
        assert not list(graph.of_type(type_))
    assert graph["ec2.Instance gfs1"].inputs["subnetId"] == "subnet-us-east-1b"
    assert graph["ec2.SecurityGroup node"].inputs["vpcId"] == "vpc-0123456789abcdef0"
    assert "172.16.0.0/16" in command(graph, "gfs1-web")


def test_an_imported_site_is_copied_to_the_first_node_before_it_is_loaded(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    files, dump = (tmp_path_factory.mktemp("site") / name for name in ("site.tar", "dump.sql"))
    files.touch()
    dump.touch()
    graph = build(site=SITE | {"import": {"files": str(files), "database": str(dump)}})
    assert "remote.CopyToRemote gfs1-import-files" in graph.waits("remote.Command gfs1-wordpress-code")
    assert "remote.CopyToRemote gfs1-import-database" in graph.waits("remote.Command gfs1-wordpress-site")
    assert "IMPORT=/home/admin/import-files" in command(graph, "gfs1-wordpress-code")
    assert "IMPORT=/home/admin/import-database" in command(graph, "gfs1-wordpress-site")


def test_an_imported_directory_is_checked_before_it_is_copied() -> None:
    graph = build(site=SITE | {"import": {"directory": "/var/www/old"}})
    assert "remote.Command gfs1-wordpress-htaccess" in graph.waits("remote.Command gfs1-move-site")
    assert "DIRECTORY=/var/www/old ACCEPTED=''" in command(graph, "gfs1-wordpress-htaccess")
    accepted = {"directory": "/var/www/old", "accept_lost_htaccess": True}
    graph = build(site=SITE | {"import": accepted})
    assert "DIRECTORY=/var/www/old ACCEPTED=yes" in command(graph, "gfs1-wordpress-htaccess")


def test_an_archive_replaces_debians_package_as_the_source() -> None:
    archive = {"url": "https://wordpress.example/x.tar.gz", "sha256": "0" * 64}
    graph = build(site=SITE | {"archive": archive})
    assert f"ARCHIVE_URL={archive['url']} ARCHIVE_SHA256={archive['sha256']}" in command(graph, "gfs1-wordpress-code")


def command(graph: Graph, step: str) -> str:
    text = graph[f"remote.Command {step}"].inputs["create"]
    assert isinstance(text, str), f"the text of {step} is a secret"
    return text
