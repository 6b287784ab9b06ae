"""Overlay mounts: a writable tree on top of others that stay unchanged."""

from __future__ import annotations

from pathlib import Path

from rehearsal.system.shell import run


def overlay(directory: Path, *lower: Path) -> Path:
    """Mount an overlay of the trees `lower`, the topmost first, below `directory`; returns its mount point."""
    upper, work, root = directory / "upper", directory / "work", directory / "root"
    for folder in (upper, work, root):
        folder.mkdir(parents=True)
    layers = ":".join(map(str, lower))
    run("mount", "-t", "overlay", "overlay", "-o", f"lowerdir={layers},upperdir={upper},workdir={work}", root)
    return root
