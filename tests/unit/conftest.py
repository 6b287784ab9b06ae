"""The graph that the unit tests share, made once."""

from __future__ import annotations

import pytest

from tests.unit.graph import Graph, build


@pytest.fixture(scope="session")
def aws_wordpress() -> Graph:
    """The graph of the committed stack aws-wordpress; tests must not change it."""
    return build()
