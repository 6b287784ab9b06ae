"""The host's inotify limit: raised while a region runs, as before afterwards."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from rehearsal.session.sandbox import SCRIPT

FAKE = 'mount --bind "$1" /proc/sys/fs/inotify/max_user_instances; shift; exec "$@"'
"""Runs a command for which a file is the limit."""


@pytest.mark.parametrize(("before", "during"), [("128", "1024"), ("8192", "8192")])
def test_the_inotify_limit_is_raised_for_the_region_and_never_lowered(tmp_path: Path, before: str, during: str) -> None:
    limit, region = str(tmp_path / "limit"), tmp_path / "run" / "region"
    Path(limit).write_text(f"{before}\n")
    region.mkdir(parents=True)
    faked = ["unshare", "--mount", "sh", "-ec", FAKE, "sh", limit]
    sandbox = [str(SCRIPT), str(region), "ha-wordpress-test-limit", "cat", limit]
    another_region = ["flock", "--shared", str(tmp_path / "run" / "inotify-limit")]
    for others, after in ((another_region, during), ([], before)):
        done = subprocess.run([*others, *faked, *sandbox], check=True, capture_output=True, text=True, timeout=60)
        assert (done.stdout.strip(), Path(limit).read_text().strip()) == (during, after)
