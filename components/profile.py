"""A profile of the program's own run, for whoever wonders where a preview's seconds go."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pulumi
from pyinstrument import Profiler


@contextmanager
def profiled() -> Iterator[None]:
    """Write pyinstrument's HTML if `profile: true` is configured or PYINSTRUMENT=1 is set, and log its path.

    It covers the imports and the declaring of every resource; what the engine does afterwards is not Python's time.
    """
    if pulumi.Config().get("profile") != "true" and os.environ.get("PYINSTRUMENT") != "1":
        yield
        return
    with Profiler() as profiler:
        yield
    handle, page = tempfile.mkstemp(prefix=f"{pulumi.get_stack()}-profile-", suffix=".html")
    os.close(handle)
    Path(page).write_text(profiler.output_html())
    pulumi.log.info(f"Profile of this run: {page}")
