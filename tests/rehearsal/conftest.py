"""The condition for tests that boot machines."""

from __future__ import annotations

import os

import pytest


@pytest.fixture(autouse=True)
def as_root() -> None:
    """Skip without root, which a rehearsal needs to boot machines. With CI set, no test is skipped."""
    if os.geteuid() and "CI" not in os.environ:
        pytest.skip("a rehearsal boots machines: run as root")
