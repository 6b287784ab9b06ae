"""The volume: its options, its order of bricks, its kind."""

from __future__ import annotations

import pytest

from components.config.settings import Gluster
from components.gluster.mount import ring
from components.gluster.volume import volume_options
from tests.unit.graph import Graph, build

TWO = {"gfs1": {"zone": "us-east-1b"}, "gfs2": {"zone": "us-east-1c"}}


def volume(graph: Graph) -> str:
    text = graph["remote.Command gfs1-volume-wp"].inputs["create"]
    assert isinstance(text, str)
    return text


def test_a_volume_has_a_brick_on_every_node_in_the_order_of_their_names(aws_wordpress: Graph) -> None:
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


def test_writes_need_most_of_the_copies() -> None:
    assert volume_options(Gluster(), 33, "*")["cluster.quorum-type"] == "auto"
    assert volume_options(Gluster(replica=2, arbiter=1), 33, "*")["cluster.quorum-type"] == "auto"


def test_of_two_copies_either_may_be_lost_at_the_accepted_risk() -> None:
    """`auto` would make the first of the two bricks a single point of failure."""
    assert volume_options(Gluster(replica=2, accept_split_brain_risk=True), 33, "*")["cluster.quorum-type"] == "none"


@pytest.mark.parametrize("option", ["performance.nl-cache", "performance.parallel-readdir"])
def test_options_that_answer_wrongly_are_off(option: str) -> None:
    assert volume_options(Gluster(), 33, "*")[option] == "off"


def test_what_was_looked_for_in_vain_is_remembered_on_every_web_node(aws_wordpress: Graph) -> None:
    for node in ("gfs1", "gfs2", "gfs3"):
        assert " OPTIONS=negative-timeout=10 " in aws_wordpress[f"remote.Command {node}-mount"].inputs["create"]


def test_a_node_mounts_from_the_next_one_and_from_itself_only_as_a_last_resort() -> None:
    assert ring(["a", "b", "c", "d"], "b") == ["c", "d", "a", "b"]
