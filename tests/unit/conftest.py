"""What the tests of the program share: its graph, made once."""

from __future__ import annotations

import pytest

from tests.unit.graph import Graph, build


@pytest.fixture(scope="session")
def aws_wordpress() -> Graph:
    """The stack aws-wordpress as it is committed; not to be changed."""
    return build()
