"""The real Pulumi engine: the `pulumi` on PATH if it is new enough, else one built from its Go module."""

from __future__ import annotations

import hashlib
import re
import shutil
import sys
from pathlib import Path

from rehearsal import progress
from rehearsal.setup import cache
from rehearsal.system.shell import ToolError, run

OLDEST = (3, 259, 0)
"""The oldest version of the engine that is accepted."""
MODULE = Path(__file__).parents[2] / "tools" / "pulumi"
PACKAGE = "github.com/pulumi/pulumi/pkg/v3/cmd/pulumi"
VERSION = "github.com/pulumi/pulumi/sdk/v3/go/common/version.Version"
"""The variable that holds the engine's version; Pulumi's own releases set it when they are linked."""


def ensure() -> Path:
    """Return the path of a `pulumi` that is `OLDEST` or newer.

    The first build takes about three minutes on two CPUs. Raises `ToolError` when it fails.
    """
    found = shutil.which("pulumi")
    if found and version(run(found, "version")) >= OLDEST:
        return Path(found)
    modules = hashlib.sha256((MODULE / "go.sum").read_bytes()).hexdigest()
    return cache.make_once(f"engine-{_pinned()}-{modules[:12]}", _build) / "pulumi"


def version(text: str) -> tuple[int, ...]:
    """Return the first version number in a program's output: `(1, 25, 11)` for `go1.25.11`.

    Raises `ToolError` when there is none.
    """
    found = re.search(r"(\d+)\.(\d+)(?:\.(\d+))?", text)
    if found is None:
        raise ToolError(f"no version number in {text!r}")
    return tuple(int(part or 0) for part in found.groups())


def _pinned() -> str:
    """The engine's version in `MODULE`, such as `v3.259.0`."""
    found = re.search(r"github.com/pulumi/pulumi/pkg/v3 (v\S+)", (MODULE / "go.mod").read_text())
    if found is None:
        raise ToolError(f"no engine in {MODULE / 'go.mod'}: require github.com/pulumi/pulumi/pkg/v3 there")
    return found[1]


def _build(directory: Path) -> None:
    with progress.step("Building the Pulumi engine") as step:
        compiler = go(directory / "go")
        step.detail("downloading its modules")
        # GOTOOLCHAIN=local: Go fails rather than download another version of itself
        environment = {"GOTOOLCHAIN": "local", "GOFLAGS": "-mod=readonly", "CGO_ENABLED": "0"}
        flags = f"-ldflags=-s -w -X {VERSION}={_pinned()}"
        step.follow(
            compiler, "build", "-v", "-trimpath", flags, "-o", directory / "pulumi", PACKAGE,
            cwd=MODULE, env=environment, timeout=1800,
        )  # fmt: skip
        version(run(directory / "pulumi", "version"))
        shutil.rmtree(directory / "go", ignore_errors=True)


def go(directory: Path) -> Path:
    """Return the Go on PATH if it is new enough for `MODULE`, else install the pinned one in `directory`."""
    required = version((MODULE / "go.mod").read_text())
    found = shutil.which("go")
    if found and version(run("env", "GOTOOLCHAIN=local", found, "version")) >= required:
        return Path(found)
    with progress.step("Downloading Go"):
        run(
            sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check",
            "--require-hashes", "--target", directory, "-r", MODULE / "requirements.txt", timeout=600,
        )  # fmt: skip
    return directory / "go" / "bin" / "go"
