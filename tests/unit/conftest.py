"""The graph that the unit tests share, made once."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from components.cloud import operator
from components.roll import lacking
from components.roll.nodes import Nodes
from tests.unit.graph import Graph, build


@pytest.fixture(scope="session", autouse=True)
def _behind_nat() -> Iterator[None]:
    """Build graphs as on a machine without a public address, whatever this one has."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(operator, "source_address", lambda: None)
        yield


@pytest.fixture(scope="session", autouse=True)
def _unasked_nodes() -> Iterator[None]:
    """Ask no node at the end of the program: its addresses are made up."""

    async def ask_none(nodes: Nodes) -> None: ...

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lacking, "warn", ask_none)
        yield


@pytest.fixture(scope="session")
def aws_wordpress() -> Graph:
    """The graph of the committed stack aws-wordpress; tests must not change it."""
    return build()
