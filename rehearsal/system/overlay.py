"""A tree that starts as others and keeps its changes to itself."""

from __future__ import annotations

from pathlib import Path

from rehearsal.system.shell import run


def overlay(directory: Path, *lower: Path) -> Path:
    """Mount an overlay of `lower`, the topmost first, below `directory`; returns its root."""
    upper, work, root = directory / "upper", directory / "work", directory / "root"
    for folder in (upper, work, root):
        folder.mkdir(parents=True)
    layers = ":".join(map(str, lower))
    run("mount", "-t", "overlay", "overlay", "-o", f"lowerdir={layers},upperdir={upper},workdir={work}", root)
    return root
