"""The volume: its options, the order of its bricks, its number of copies; and the order of mount servers."""

from __future__ import annotations

import pytest

from components.config.settings import Gluster
from components.gluster.mount import fallback_order
from components.gluster.volume import METADATA_CACHE, volume_options
from tests.unit.graph import Graph, Secret, build

TWO = {"gfs1": {"zone": "us-east-1b"}, "gfs2": {"zone": "us-east-1c"}}


def volume(graph: Graph) -> str:
    text = graph["remote.Command gfs1-volume-wp"].inputs["create"]
    assert isinstance(text, str)
    return text


def test_a_volume_has_one_brick_per_node_in_the_order_of_names(aws_wordpress: Graph) -> None:
    path = "/glusterfs/bricks/brick1/gv"
    assert f"BRICKS='node-gfs1:{path} node-gfs2:{path} node-gfs3:{path}'" in volume(aws_wordpress)
    assert "REPLICA='replica 3' " in volume(aws_wordpress)


def test_the_arbiter_is_the_last_node_by_name() -> None:
    graph = build(nodes=TWO | {"quorum": {"zone": "us-east-1d"}}, gluster={"replica": 2, "arbiter": 1})
    assert "REPLICA='replica 2 arbiter 1' " in volume(graph)
    assert "node-quorum:/glusterfs/bricks/brick1/gv' OPTIONS=" in volume(graph)


def test_the_options_reach_the_volume(aws_wordpress: Graph) -> None:
    text = volume(aws_wordpress)
    for name, value in volume_options(Gluster(), 33, "10.20.0.0/16").items():
        assert f"{name} {value}" in text


def test_writes_need_a_majority_of_the_bricks() -> None:
    assert volume_options(Gluster(), 33, "*")["cluster.quorum-type"] == "auto"
    assert volume_options(Gluster(replica=2, arbiter=1), 33, "*")["cluster.quorum-type"] == "auto"


def test_two_copies_at_the_accepted_risk_need_no_quorum() -> None:
    """`auto` would make the first of the two bricks a single point of failure."""
    assert volume_options(Gluster(replica=2, accept_split_brain_risk=True), 33, "*")["cluster.quorum-type"] == "none"


@pytest.mark.parametrize("option", ["performance.nl-cache", "performance.parallel-readdir"])
def test_options_that_report_existing_files_as_missing_are_off(option: str) -> None:
    assert volume_options(Gluster(), 33, "*")[option] == "off"


def test_metadata_is_cached_except_for_sessions(aws_wordpress: Graph) -> None:
    assert METADATA_CACHE["features.cache-invalidation"] == "on"
    for name, value in METADATA_CACHE.items():
        assert f"{name} {value}" in volume(aws_wordpress).split(" METADATA_CACHE=")[1]
    text = build("php-sessions")["remote.Command lb1-volume-sessions"].inputs["create"]
    assert "performance.stat-prefetch off" in text
    assert " METADATA_CACHE='' " in text


def test_storage_speaks_tls_by_default(aws_wordpress: Graph) -> None:
    assert "server.ssl on" in volume(aws_wordpress)
    for node in ("gfs1", "gfs2", "gfs3"):
        request = aws_wordpress[f"tls.CertRequest {node}-storage"].inputs
        assert request["subject"] == {"commonName": f"node-{node}"}
        certificate = aws_wordpress[f"tls.LocallySignedCert {node}-storage"].inputs
        assert certificate["caCertPem"] == "certificate-of-storage\n"
        step = aws_wordpress[f"remote.Command {node}-certificate"].inputs
        assert "SECRET" not in step["create"]
        assert step["stdin"] == Secret(f"KEY='SECRET-pem-key-of-{node}-storage\n'\n")


def test_without_tls_there_is_no_certificate() -> None:
    graph = build(gluster={"tls": False})
    assert "server.ssl on" not in volume(graph)
    assert not list(graph.of_type("tls.LocallySignedCert"))


def test_every_web_node_caches_failed_lookups(aws_wordpress: Graph) -> None:
    for node in ("gfs1", "gfs2", "gfs3"):
        assert " OPTIONS=negative-timeout=10 " in aws_wordpress[f"remote.Command {node}-mount"].inputs["create"]


def test_a_brick_host_tries_the_next_host_first_and_itself_last() -> None:
    assert fallback_order(["a", "b", "c", "d"], "b") == ["c", "d", "a", "b"]


def test_another_machine_tries_every_host_in_an_order_of_its_own() -> None:
    hosts = ["a", "b", "c", "d"]
    orders = {tuple(fallback_order(hosts, f"app{number}")) for number in range(20)}
    assert len(orders) == len(hosts)
    assert all(sorted(order) == hosts for order in orders)
