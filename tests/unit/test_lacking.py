"""The warning at the end of `pulumi up` about nodes that are not whole."""

from __future__ import annotations

import asyncio

import pytest

from components.roll import lacking

# the real one: conftest.py replaces it for the other tests
from components.roll.lacking import warn
from components.roll.nodes import Duties, Nodes

BRICK = Duties((), "wp", "")


class Answers(Nodes):
    """Nodes with their answers, one after another; a node without one more does not answer.

    `asked`: the questions, as the node's name, and whether it was asked about the heals of all bricks.
    """

    def __init__(self, answers: dict[str, list[str]]) -> None:
        super().__init__({"web1": Duties((), "", ""), **dict.fromkeys(answers.keys() - {"web1"}, BRICK)})
        self.answers, self.asked = answers, list[tuple[str, bool]]()

    async def lacking(self, name: str, *, storage: bool, healed: bool, returned: bool = False) -> str:
        assert storage
        assert not returned
        self.asked.append((name, healed))
        if not self.answers[name]:
            await asyncio.sleep(60)
        return self.answers[name].pop(0)


@pytest.fixture
def warnings(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    seen: list[str] = []
    monkeypatch.setattr("pulumi.log.warn", seen.append)
    monkeypatch.setattr(lacking, "SETTLE", 0)
    monkeypatch.setattr(lacking, "ANSWER_LIMIT", 0.1)
    return seen


def test_whole_nodes_are_asked_once_and_one_of_them_about_all_heals(warnings: list[str]) -> None:
    nodes = Answers({"web1": [""], "gfs1": [""], "gfs2": [""]})
    asyncio.run(warn(nodes))
    assert warnings == []
    assert len(nodes.asked) == 3
    assert [healed for _, healed in nodes.asked].count(True) == 1
    assert ("web1", True) not in nodes.asked


def test_what_a_node_still_lacks_when_it_is_asked_again_is_a_warning(warnings: list[str]) -> None:
    asyncio.run(warn(Answers({"web1": ["web1: starts", ""], "gfs1": ["gfs1: first", "gfs1: then"]})))
    assert warnings == ["The site is not whole. gfs1: then"]


def test_a_node_that_does_not_answer_is_a_warning(warnings: list[str]) -> None:
    asyncio.run(warn(Answers({"web1": [""], "gfs1": []})))
    assert warnings == ["The site is not whole. gfs1: no answer within 0 s"]
