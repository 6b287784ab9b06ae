"""The real Pulumi engine: the `pulumi` on PATH if it is new enough, else one built from its Go module."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

from rehearsal.setup import go
from rehearsal.system.shell import ToolError, run

OLDEST = (3, 259, 0)
"""The oldest version of the engine that is accepted."""
MODULE = "pulumi"
PACKAGE = "github.com/pulumi/pulumi/pkg/v3/cmd/pulumi"
VERSION = "github.com/pulumi/pulumi/sdk/v3/go/common/version.Version"
"""The variable that holds the engine's version; Pulumi's own releases set it when they are linked."""


def ensure() -> Path:
    """Return the path of a `pulumi` that is `OLDEST` or newer.

    The first build takes about three minutes on two CPUs. Raises `ToolError` when it fails.
    """
    found = shutil.which("pulumi")
    if found and go.version(run(found, "version")) >= OLDEST:
        return Path(found)
    pinned = _pinned()
    return go.program(MODULE, PACKAGE, "the Pulumi engine", f"engine-{pinned}", f"{VERSION}={pinned}")


def _pinned() -> str:
    """The engine's version in `MODULE`, such as `v3.259.0`."""
    mod = go.TOOLS / MODULE / "go.mod"
    found = re.search(r"github.com/pulumi/pulumi/pkg/v3 (v\S+)", mod.read_text())
    if found is None:
        raise ToolError(f"no engine in {mod}: require github.com/pulumi/pulumi/pkg/v3 there")
    return found[1]
