"""The conditions for tests that boot machines."""

from __future__ import annotations

import os

import pytest

from rehearsal.setup import engine, host, image


@pytest.fixture(scope="session", autouse=True)
def ready_host() -> None:
    """Skip without root, which a rehearsal needs to boot machines. With CI set, no test is skipped.

    Makes what a host's first rehearsal makes, which may take minutes, before a test's time limits begin.
    """
    if os.geteuid() and "CI" not in os.environ:
        pytest.skip("a rehearsal boots machines: run as root")
    host.ensure()
    engine.ensure()
    image.ensure()
