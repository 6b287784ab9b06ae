"""A profile of the program's run, which shows where the time of a preview is spent."""

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
    """Profile the block if the settings have `profile: true` or PYINSTRUMENT=1 is set: write HTML and log its path.

    The profile covers the imports and the registration of every resource. The engine's work is not part of it.
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
