"""What this machine must have before it can boot others: Linux, root, a kernel's features, Debian's tools."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

from rehearsal import progress
from rehearsal.system.shell import ToolError, run

# None of these packages starts a service.
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
KEYS = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
"""What Debian signs its archive with; Debian itself always has it, its derivatives do not."""

FILE_SYSTEMS = ("overlay", "xfs", "fuse")
INOTIFY = Path("/proc/sys/fs/inotify/max_user_instances")
INSTANCES = 1024
"""A machine's systemd and services take a dozen or more, all of root's account; where none is left, a boot stops in the
middle. A kernel starts with 128.
"""
DEVICES = {Path("/dev/loop-control"): "loop", Path("/dev/fuse"): "fuse"}


class HostError(RuntimeError):
    """This machine cannot rehearse; the message is one line that says what to do."""


def ensure() -> None:
    """Install the tools that are missing, and raise a limit that machines would meet.

    Raises `HostError` when this is no Linux, we are not root, or something missing cannot be had.
    """
    if sys.platform != "linux":
        raise HostError("the rehearsal boots Linux machines: run it on Linux (`make test-unit` runs here)")
    if os.geteuid() != 0:
        raise HostError("the rehearsal needs root: run it with sudo (`make test-unit` runs without)")
    # `su` without `-` keeps a user's PATH, which lacks the administrator's tools
    os.environ["PATH"] = f"{os.environ['PATH']}:/usr/sbin:/sbin"
    packages = sorted(set(_missing_packages()))
    if packages:
        _install(packages)
    lacking = [*_missing_kernel_features()]
    if lacking:
        raise HostError(f"the kernel lacks {', '.join(lacking)}: boot one that has them")
    _allow_inotify()


def _missing_packages() -> Iterator[str]:
    yield from (package for tool, package in TOOLS.items() if shutil.which(tool) is None)
    if not KEYS.exists():
        yield "debian-archive-keyring"


def _install(packages: list[str]) -> None:
    by_hand = f"run `apt-get install {' '.join(packages)}`"
    if shutil.which("apt-get") is None:
        raise HostError(f"this system has no apt-get: install what {', '.join(TOOLS)} belong to")
    # NEEDRESTART_SUSPEND: no service of this machine is restarted on the way
    apt = ["env", "DEBIAN_FRONTEND=noninteractive", "NEEDRESTART_SUSPEND=1"]
    apt += ["apt-get", "-qq", "-o", "DPkg::Lock::Timeout=120"]
    with progress.step(f"Installing {', '.join(packages)}"):
        try:
            run(*apt, "update", timeout=300)
            run(*apt, "install", "--no-install-recommends", *packages, timeout=600)
        except ToolError as error:
            raise HostError(f"{by_hand}: {error}") from error
    still = [*_missing_packages()]
    if still:
        raise HostError(f"{', '.join(still)} did not bring their tools: {by_hand} and look")


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


def _allow_inotify() -> None:
    if int(INOTIFY.read_text()) >= INSTANCES:
        return
    try:
        INOTIFY.write_text(str(INSTANCES))
    except OSError as error:
        raise HostError(f"run `sysctl fs.inotify.max_user_instances={INSTANCES}`: {error}") from error


def _mountable(file_system: str) -> bool:
    return file_system in Path("/proc/filesystems").read_text().split()


def _load(module: str) -> None:
    try:
        run("modprobe", module)
    except (ToolError, OSError):
        return
