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
def root(monkeypatch: pytest.MonkeyPatch) -> None:
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
def test_the_packages_of_missing_tools_are_installed_once_each(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
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
    assert "remove them with `apt-get purge --auto-remove nftables xfsprogs`" in capsys.readouterr().err


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
