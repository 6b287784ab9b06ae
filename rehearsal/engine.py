"""The real Pulumi engine: the one on PATH, or one built from its Go module."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from rehearsal import cache, progress
from rehearsal.shell import ToolError, run

OLDEST = (3, 259, 0)
MODULE = Path(__file__).parents[1] / "tools" / "pulumi"
PACKAGE = "github.com/pulumi/pulumi/pkg/v3/cmd/pulumi"


def ensure() -> Path:
    """A `pulumi` that is `OLDEST` or newer; building one takes some three minutes, once.

    Raises `ToolError` when it cannot be built.
    """
    found = shutil.which("pulumi")
    if found and version(run(found, "version")) >= OLDEST:
        return Path(found)
    pinned = (MODULE / "go.sum").read_bytes() + (MODULE / "go.mod").read_bytes()
    return cache.once(f"engine-{hashlib.sha256(pinned).hexdigest()[:16]}", _build) / "pulumi"


def version(text: str) -> tuple[int, ...]:
    """The first version number in what a program says of itself: `(1, 25, 11)` of `go1.25.11`.

    Raises `ToolError` when there is none.
    """
    found = re.search(r"(\d+)\.(\d+)(?:\.(\d+))?", text)
    if found is None:
        raise ToolError(f"no version number in {text!r}")
    return tuple(int(part or 0) for part in found.groups())


def _build(directory: Path) -> None:
    with progress.step("Building the Pulumi engine") as step:
        go = _go(directory / "go")
        step.detail("fetching its modules")
        # GOTOOLCHAIN: this Go or none, never another one fetched by itself
        environment = {"GOTOOLCHAIN": "local", "GOFLAGS": "-mod=readonly", "CGO_ENABLED": "0"}
        said = []
        with subprocess.Popen(
            [go, "build", "-v", "-trimpath", "-ldflags=-s -w", "-o", directory / "pulumi", PACKAGE],
            cwd=MODULE,
            env=os.environ | environment,
            stdin=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        ) as build:
            assert build.stderr is not None
            for line in build.stderr:
                step.detail(line.strip())
                said.append(line)
        if build.returncode:
            raise ToolError(f"the engine could not be built: {''.join(said[-20:])}")
        run(directory / "pulumi", "version")
        shutil.rmtree(directory / "go", ignore_errors=True)


def _go(directory: Path) -> Path:
    """The Go on PATH if it is new enough for the module, else a pinned one, put into `directory`."""
    needed = version((MODULE / "go.mod").read_text())
    found = shutil.which("go")
    if found and version(run("env", "GOTOOLCHAIN=local", found, "version")) >= needed:
        return Path(found)
    with progress.step("Fetching Go"):
        run(
            sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check",
            "--require-hashes", "--target", directory, "-r", MODULE / "requirements.txt", timeout=600,
        )  # fmt: skip
    return directory / "go" / "bin" / "go"
