"""Who may run these tests."""

from __future__ import annotations

import os

import pytest


@pytest.fixture(autouse=True)
def as_root() -> None:
    """A rehearsal boots machines. Where CI is set, nothing is skipped for want of root."""
    if os.geteuid() and "CI" not in os.environ:
        pytest.skip("a rehearsal boots machines: run as root")
