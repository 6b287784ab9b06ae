"""The image that machines boot from: Debian 13 as its cloud image is, plus the packages that the steps install.

A rented machine downloads those packages at its first boot. A machine of the rehearsal reaches no archive, so the image
has them installed, with their services disabled. An installation then has nothing to download, and
image/files/usr/local/bin/apt-get starts the services of the installed packages, as Debian does.
"""

from __future__ import annotations

import hashlib
import platform
import re
import shutil
import urllib.request
from dataclasses import dataclass
from datetime import date
from email.utils import parsedate_to_datetime
from pathlib import Path

import yaml

from rehearsal import progress
from rehearsal.setup import cache
from rehearsal.system.shell import run

RECIPE = Path(__file__).parent / "image"
"""The scripts that make the image, and the files that they copy into it."""
CLOUD_INIT = Path(__file__).parents[2] / "cloud-init"

SUITE = "trixie"

MACHINE = (
    "ca-certificates", "cloud-init", "curl", "dbus", "iproute2", "iputils-ping", "less",
    "libnss-myhostname", "libpam-systemd", "netbase", "netplan.io", "nftables", "openssh-server",
    "procps", "python3", "sudo", "systemd", "systemd-resolved", "systemd-sysv", "udev",
)  # fmt: skip
"""Packages of Debian's image for EC2 (the debian-cloud-images project, its classes SYSTEM_BOOT and EC2), without the
kernel, boot loader and clock, which a machine here cannot use.
"""

EXISTING = (
    "acl", "apache2", "attr", "curl", "fail2ban", "haproxy", "keepalived", "python3-systemd", "rsync", "varnish",
)  # fmt: skip
"""Packages that steps install on existing machines, which have no cloud-init part."""

SERVICES = ("chromium", "dnsmasq-base", "haproxy", "mariadb-server", "pebble", "tcpdump")
"""Packages of the cloud's own services, and of the tools that look at a site from outside."""


@dataclass(frozen=True)
class Image:
    """The root file systems that an image consists of."""

    nodes: Path
    """The tree that a machine starts from."""
    services: Path
    """A layer above `nodes` with the packages `SERVICES`."""


def ensure() -> Image:
    """Return an image with the current packages from the current archive; making one takes one to two minutes.

    When the archive cannot be reached, the newest cached image is used. Older images are removed, unless a machine
    runs from them. Raises `ToolError` when the image cannot be made.
    """
    packages = [*dict.fromkeys([*named_packages(CLOUD_INIT), *EXISTING])]
    key = f"image-{_fingerprint(packages)}"
    with cache.locked("image"):
        newest = max(cache.DIRECTORY.glob(f"{key}-*"), default=None)
        if newest is None or _outdated(newest):
            newest = _make(key, packages)
        for other in cache.DIRECTORY.glob("image-*-*"):
            if other != newest and not _in_use(other):
                shutil.rmtree(other)
    return Image(newest / "nodes", newest / "services")


def named_packages(parts: Path) -> list[str]:
    """Return the packages that the cloud-init parts in a directory install, each once, in the parts' order."""
    contents = [yaml.safe_load(part.read_text()) for part in sorted(parts.glob("*.yaml"))]
    return [*dict.fromkeys(name for content in contents for name in content.get("packages", []))]


def archive_date(release: str) -> date:
    """Return the day on which an archive was published, from the text of its InRelease file."""
    found = re.search(r"^Date: (.+)$", release, re.MULTILINE)
    if found is None:
        raise ValueError("the InRelease file of the archive is without a date: use another mirror in sources.list")
    return parsedate_to_datetime(found[1]).date()


def suite_lines(lines: list[str], codename: str) -> list[str]:
    """Turn a host's lines of sources.list into the image's, from the same mirrors.

    `lines`: all of the host's. `codename`: its release; lines of other suites, such as backports, are left out.
    """
    own = [line for line in lines if re.search(rf" {codename}(-updates|-security)? ", line)]
    return [line.replace(f" {codename}", f" {SUITE}") for line in own]


def _fingerprint(packages: list[str]) -> str:
    content = hashlib.sha256(repr((MACHINE, packages, SERVICES)).encode())
    for file in sorted(RECIPE.rglob("*")):
        if file.is_file():
            content.update(file.read_bytes())
    return content.hexdigest()[:12]


def _outdated(image: Path) -> bool:
    """Whether the archive has been published again since the day that the image's name ends with."""
    sources = (image / "archive" / "sources.list").read_text()
    published = []
    for uri, suite in re.findall(r"^deb (?:\[.*?\] )?(\S+) (\S+)", sources, re.MULTILINE):
        try:
            with urllib.request.urlopen(f"{uri.rstrip('/')}/dists/{suite}/InRelease", timeout=10) as answer:
                published.append(archive_date(answer.read().decode()))
        except OSError:
            progress.console.print("The Debian archive cannot be reached: using the cached image.")
            return False
    return max(published).isoformat() > image.name[-10:]


def _make(key: str, packages: list[str]) -> Path:
    directory = cache.unfinished("image")
    with progress.step("Making the machine image") as step:
        step.follow(
            "unshare", "--mount", "--pid", "--mount-proc", "--fork", "--kill-child",
            RECIPE / "build.sh", directory,
            " ".join(MACHINE), " ".join(packages), " ".join(SERVICES), *_sources(), timeout=1200,
        )  # fmt: skip
    published = max(archive_date(file.read_text()) for file in directory.glob("archive/*InRelease"))
    final = cache.DIRECTORY / f"{key}-{published}"
    # a mirror behind a cache may give apt an older archive than `_outdated` saw, of which there is an image already
    if not final.exists():
        directory.rename(final)
    return final


def _sources() -> list[str]:
    """Return lines of sources.list for the image, from the mirrors of a host that runs Debian; otherwise none."""
    lines = run(
        "apt-get", "indextargets", "--format", "deb $(REPO_URI) $(RELEASE) $(COMPONENT)",
        "Identifier: Packages", "Origin: Debian", "Component: main",
    ).splitlines()  # fmt: skip
    return suite_lines(lines, platform.freedesktop_os_release().get("VERSION_CODENAME", ""))


def _in_use(image: Path) -> bool:
    """Whether a mount of any process uses the image."""
    for mounts in Path("/proc").glob("[0-9]*/mountinfo"):
        try:
            if str(image) in mounts.read_text():
                return True
        except OSError:
            continue
    return False
