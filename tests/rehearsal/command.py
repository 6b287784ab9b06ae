"""The command `rehearse`, run as a user runs it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

REHEARSE = str(Path(sys.executable).with_name("rehearse"))


def rehearse(
    *arguments: str, timeout: float = 900, env: dict[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    return subprocess.run([REHEARSE, *arguments], check=False, capture_output=True, text=True, timeout=timeout, env=env)
