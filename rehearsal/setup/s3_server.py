"""The S3 server of the rehearsal: versitygw, built from its Go module."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

from rehearsal import progress
from rehearsal.setup import cache, engine

MODULE = Path(__file__).parents[2] / "tools" / "versitygw"
PACKAGE = "github.com/versity/versitygw/cmd/versitygw"


def ensure() -> Path:
    """Return the path of the server; the first build takes about a minute on two CPUs.

    Raises `ToolError` when it fails.
    """
    modules = hashlib.sha256((MODULE / "go.sum").read_bytes()).hexdigest()
    return cache.make_once(f"versitygw-{modules[:12]}", _build) / "versitygw"


def _build(directory: Path) -> None:
    with progress.step("Building the S3 server") as step:
        environment = {"GOTOOLCHAIN": "local", "GOFLAGS": "-mod=readonly", "CGO_ENABLED": "0"}
        step.follow(
            engine.go(directory / "go"), "build", "-v", "-trimpath", "-ldflags=-s -w",
            "-o", directory / "versitygw", PACKAGE, cwd=MODULE, env=environment, timeout=900,
        )  # fmt: skip
        shutil.rmtree(directory / "go", ignore_errors=True)
