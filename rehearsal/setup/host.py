"""Requirements of the host before it can boot machines: Linux, root, Debian's tools, kernel features."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

from rehearsal import progress
from rehearsal.system.shell import ToolError, run

TOOLS = {
    "chroot": "coreutils",
    "ip": "iproute2",
    "losetup": "mount",
    "mkfs.xfs": "xfsprogs",
    "mmdebstrap": "mmdebstrap",
    "mount": "mount",
    "nft": "nftables",
    "nsenter": "util-linux",
    "setpriv": "util-linux",
    "sysctl": "procps",
    "systemd-nspawn": "systemd-container",
    "unshare": "util-linux",
    "xfs_io": "xfsprogs",
}
"""Commands that the rehearsal calls, and the Debian package of each. None of the packages starts a service."""

KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
"""Keys that Debian signs its archive with. Derivatives of Debian may lack the package."""

FILE_SYSTEMS = ("overlay", "xfs", "fuse")
DEVICES = {Path("/dev/loop-control"): "loop", Path("/dev/fuse"): "fuse"}
"""Device nodes, and the kernel module that makes each."""


class HostError(RuntimeError):
    """The host cannot run a rehearsal; the message is one line with the reason and the remedy."""


def ensure() -> None:
    """Install the missing tools.

    Raises `HostError` when the host does not run Linux, this process is not root, or a requirement cannot be met.
    """
    if sys.platform != "linux":
        raise HostError("the rehearsal boots Linux machines: run it on Linux (`make test-unit` runs here)")
    if os.geteuid() != 0:
        raise HostError("the rehearsal needs root: run it with sudo (`make test-unit` runs without)")
    # `su` without `-` keeps a user's PATH, which may lack the sbin directories
    os.environ["PATH"] = f"{os.environ['PATH']}:/usr/sbin:/sbin"
    packages = sorted(set(_missing_packages()))
    if packages:
        _install(packages)
    features = [*_missing_kernel_features()]
    if features:
        raise HostError(f"the kernel lacks {', '.join(features)}: boot one that has them")


def _missing_packages() -> Iterator[str]:
    yield from (package for tool, package in TOOLS.items() if shutil.which(tool) is None)
    if not KEYRING.exists():
        yield "debian-archive-keyring"


def _install(packages: list[str]) -> None:
    remedy = f"run `apt-get install {' '.join(packages)}`"
    if shutil.which("apt-get") is None:
        raise HostError(f"the host has no apt-get: install the packages that contain {', '.join(TOOLS)}")
    # NEEDRESTART_SUSPEND: the installation restarts no service of the host
    apt = ["env", "DEBIAN_FRONTEND=noninteractive", "NEEDRESTART_SUSPEND=1"]
    apt += ["apt-get", "-qq", "-o", "DPkg::Lock::Timeout=120"]
    with progress.step(f"Installing {', '.join(packages)}"):
        try:
            run(*apt, "update", timeout=300)
            run(*apt, "install", "--no-install-recommends", *packages, timeout=600)
        except ToolError as error:
            raise HostError(f"the host's tools could not be installed: {remedy}: {error}") from error
    missing = [*_missing_packages()]
    if missing:
        raise HostError(
            f"{', '.join(missing)} installed, but their tools are not on PATH: {remedy} and read its output"
        )
    progress.console.print(
        f"  they stay on this host; remove them with `apt-get purge --auto-remove {' '.join(packages)}`",
        highlight=False, soft_wrap=True,
    )  # fmt: skip


def _missing_kernel_features() -> Iterator[str]:
    for name in FILE_SYSTEMS:
        if not _mountable(name):
            _load(name)
            if not _mountable(name):
                yield name
    for device, module in DEVICES.items():
        if not device.exists():
            _load(module)
            if not device.exists():
                yield str(device)


def _mountable(file_system: str) -> bool:
    return file_system in Path("/proc/filesystems").read_text().split()


def _load(module: str) -> None:
    try:
        run("modprobe", module)
    except (ToolError, OSError):
        return
