"""The S3 server of the rehearsal: versitygw, built from its Go module."""

from __future__ import annotations

from pathlib import Path

from rehearsal.setup import go


def ensure() -> Path:
    """Return the path of the server; the first build takes about a minute on two CPUs.

    Raises `ToolError` when it fails.
    """
    return go.program("versitygw", "github.com/versity/versitygw/cmd/versitygw", "the S3 server", "versitygw")
