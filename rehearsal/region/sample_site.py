"""A site for the web servers of existing machines, with everything that a copy can lose."""

from __future__ import annotations

import os
import random
from pathlib import Path

WWW_DATA = 33
"""Debian's fixed user and group of web servers (base-passwd)."""


def write_site(www: Path) -> None:
    """Write a site into `www`: files with various owners, modes and times, links, attributes and odd names.

    The site is the same on each machine, as if its owner kept the copies equal by hand.
    """
    generator = random.Random("a site")
    html = www / "html"
    html.mkdir(parents=True, exist_ok=True)
    (html / "index.html").write_text("<!DOCTYPE html><title>A site</title><h1>It was here before</h1>\n")
    (html / "film.bin").write_bytes(generator.randbytes(1 << 20))
    modes = (0o644, 0o600, 0o640, 0o444, 0o755, 0o664, 0o2755)
    owners = ((0, 0), (WWW_DATA, WWW_DATA), (1234, 100))
    for number in range(300):
        file = html / f"pages {number % 10}" / f"page-{number}.html"
        file.parent.mkdir(exist_ok=True)
        file.write_bytes(b"<p>" + generator.randbytes(generator.randrange(2000)).hex().encode())
        # the owner first: chown(2) clears the set-group-ID bit
        os.chown(file, *owners[number % len(owners)])
        file.chmod(modes[number % len(modes)])
        os.utime(file, ns=(0, 1_500_000_000_123_456_789 + number))
    for name in ("-leading dash", "ümlaut", "quote'\"", "two\nlines", ".hidden"):
        (html / name).write_text(name)
    shared = html / "shared"
    shared.mkdir()
    os.chown(shared, WWW_DATA, WWW_DATA)
    shared.chmod(0o2775)
    (html / "empty").mkdir()
    (html / "hard-link").hardlink_to(html / "film.bin")
    (html / "relative").symlink_to("pages 1/page-1.html")
    (html / "absolute").symlink_to("/var/www/html/index.html")
    (html / "dangling").symlink_to("nowhere")
    os.setxattr(html / "film.bin", "user.origin", b"a camera")
