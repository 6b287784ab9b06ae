"""The preparation of this host, and the message for each requirement that it lacks."""

import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from rehearsal.setup import host
from rehearsal.system.shell import ToolError

Calls = list[tuple[str, ...]]


@pytest.fixture
def root(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    inotify = tmp_path / "max_user_instances"
    inotify.write_text("128\n")
    monkeypatch.setattr(host, "INOTIFY", inotify)
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setenv("PATH", "/usr/bin")
    monkeypatch.setattr(host, "_missing_kernel_features", lambda: iter([]))


def without(*tools: str) -> Callable[[str], str | None]:
    return lambda tool: None if tool in tools else f"/usr/bin/{tool}"


def test_another_system_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    with pytest.raises(host.HostError, match="run it on Linux"):
        host.ensure()


@pytest.mark.usefixtures("root")
def test_a_user_other_than_root_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(host.HostError, match="run it with sudo"):
        host.ensure()


@pytest.mark.usefixtures("root")
def test_the_packages_of_missing_tools_are_installed_once_each(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    calls: Calls = []
    monkeypatch.setattr(host, "KEYRING", tmp_path)

    def run(*command: str, timeout: float) -> str:
        calls.append(command)
        if "install" in command:
            monkeypatch.setattr(shutil, "which", without())
        return ""

    monkeypatch.setattr(host, "run", run)
    monkeypatch.setattr(shutil, "which", without("nft", "mkfs.xfs", "xfs_io"))
    host.ensure()
    assert calls[-1][-2:] == ("nftables", "xfsprogs")


@pytest.mark.usefixtures("root")
def test_a_failed_installation_names_the_package_and_the_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    def run(*command: str, timeout: float) -> str:
        raise ToolError("the archive does not answer")

    monkeypatch.setattr(host, "run", run)
    monkeypatch.setattr(shutil, "which", without("mmdebstrap"))
    with pytest.raises(host.HostError, match=r"apt-get install .*mmdebstrap.*the archive does not answer"):
        host.ensure()


@pytest.mark.usefixtures("root")
def test_a_kernel_without_a_file_system_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(host, "KEYRING", tmp_path)
    monkeypatch.setattr(shutil, "which", without())
    monkeypatch.setattr(host, "_missing_kernel_features", lambda: iter(["xfs", "/dev/fuse"]))
    with pytest.raises(host.HostError, match="the kernel lacks xfs, /dev/fuse"):
        host.ensure()


@pytest.mark.usefixtures("root")
def test_the_inotify_limit_is_raised_and_never_lowered(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(host, "KEYRING", tmp_path)
    monkeypatch.setattr(shutil, "which", without())
    for before, after in (("128\n", 1024), ("8192\n", 8192)):
        host.INOTIFY.write_text(before)
        host.ensure()
        assert int(host.INOTIFY.read_text()) == after


@pytest.mark.usefixtures("root")
def test_a_limit_that_cannot_be_raised_is_named_with_the_remedy(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(host, "KEYRING", tmp_path)
    monkeypatch.setattr(shutil, "which", without())

    def refuse(self: Path, text: str) -> int:
        raise PermissionError("read-only")

    monkeypatch.setattr(Path, "write_text", refuse)
    with pytest.raises(host.HostError, match=r"sysctl fs.inotify.max_user_instances=1024.*read-only"):
        host.ensure()
