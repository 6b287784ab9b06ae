"""Programs that are built from Go modules, once, into the cache."""

from __future__ import annotations

import hashlib
import re
import shutil
import sys
from pathlib import Path

from rehearsal import progress
from rehearsal.setup import cache
from rehearsal.system.shell import ToolError, run

TOOLS = Path(__file__).parents[2] / "tools"
COMPILER = TOOLS / "go" / "requirements.txt"
"""The pinned Go, as a Python package, for a host without a Go that is new enough."""


def program(module: str, package: str, title: str, key: str, *variables: str) -> Path:
    """Return the path of a program; the first call builds it.

    `module`: its module in tools/, which pins its dependencies. `package`: the program's package. `title`: for the
    progress line. `key`: the cache entry's name, beside a digest of the pinned modules. `variables`: variables of the
    program that the linker sets, such as `main.version=1.2`.

    Raises `ToolError` when the build fails.
    """
    directory = TOOLS / module
    pinned = hashlib.sha256((directory / "go.sum").read_bytes()).hexdigest()[:12]
    name = package.rsplit("/", 1)[1]

    def build(into: Path) -> None:
        with progress.step(f"Building {title}") as step:
            go = _compiler(directory, into / "go")
            step.detail("downloading its modules")
            # GOTOOLCHAIN=local: Go fails rather than download another version of itself
            environment = {"GOTOOLCHAIN": "local", "GOFLAGS": "-mod=readonly", "CGO_ENABLED": "0"}
            flags = " ".join(["-ldflags=-s -w", *(f"-X {variable}" for variable in variables)])
            step.follow(
                go, "build", "-v", "-trimpath", flags, "-o", into / name, package,
                cwd=directory, env=environment, timeout=1800,
            )  # fmt: skip
            shutil.rmtree(into / "go", ignore_errors=True)

    return cache.make_once(f"{key}-{pinned}", build) / name


def version(text: str) -> tuple[int, ...]:
    """Return the first version number in a program's output: `(1, 25, 11)` for `go1.25.11`.

    Raises `ToolError` when there is none.
    """
    found = re.search(r"(\d+)\.(\d+)(?:\.(\d+))?", text)
    if found is None:
        raise ToolError(f"no version number in {text!r}")
    return tuple(int(part or 0) for part in found.groups())


def _compiler(module: Path, directory: Path) -> Path:
    """Return the Go on PATH if it is new enough for a module, else install the pinned one in `directory`."""
    required = version((module / "go.mod").read_text())
    found = shutil.which("go")
    if found and version(run("env", "GOTOOLCHAIN=local", found, "version")) >= required:
        return Path(found)
    with progress.step("Downloading Go"):
        run(
            sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check",
            "--require-hashes", "--target", directory, "-r", COMPILER, timeout=600,
        )  # fmt: skip
    return directory / "go" / "bin" / "go"
