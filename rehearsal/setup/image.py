"""What a machine boots from: Debian 12 as its cloud image is, with the packages that any machine comes to have.

A rented machine installs those at its first boot. Ours have no way out to an archive, so they are there already, and
their services are off; apt finds nothing left to fetch, and image/files/usr/local/bin/apt-get starts the services of
what is installed, as Debian does.
"""

from __future__ import annotations

import hashlib
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
CLOUD_INIT = Path(__file__).parents[2] / "cloud-init"

SUITES = ("bookworm", "bookworm-updates", "bookworm-security")

MACHINE = (
    "ca-certificates", "cloud-init", "curl", "dbus", "iproute2", "iputils-ping", "less",
    "libnss-myhostname", "libpam-systemd", "netbase", "netplan.io", "nftables", "openssh-server",
    "procps", "python3", "sudo", "systemd", "systemd-resolved", "systemd-sysv", "udev",
)  # fmt: skip
"""What a program can tell of Debian's image for EC2 (the debian-cloud-images project, its classes
SYSTEM_BOOT and EC2), without what a machine here has no use for: kernel, boot loader, clock."""

EXISTING = (
    "acl", "apache2", "attr", "curl", "fail2ban", "haproxy", "keepalived", "python3-systemd", "rsync", "varnish",
)  # fmt: skip
"""What a machine that no cloud-init part describes may install or have."""

SERVICES = ("chromium", "dnsmasq-base", "haproxy", "mariadb-server", "tcpdump")
"""What the cloud's own services are made of, and the tools of those who look at a site from outside."""


@dataclass(frozen=True)
class Image:
    """`nodes`: the tree of a machine; `services`: a layer above it with the cloud's own services."""

    nodes: Path
    services: Path


def ensure() -> Image:
    """The image of today's archive and packages; made when it is not in the cache, in about a minute.

    When the archive cannot be reached, the newest that there is. Earlier ones are removed unless
    a machine still runs from them. Raises `ToolError` when it cannot be made.
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
    """The packages that the cloud-init parts of a directory install, in their order."""
    contents = [yaml.safe_load(part.read_text()) for part in sorted(parts.glob("*.yaml"))]
    return [*dict.fromkeys(name for content in contents for name in content.get("packages", []))]


def archive_date(release: str) -> date:
    """The day on which the archive was published whose InRelease file this is."""
    found = re.search(r"^Date: (.+)$", release, re.MULTILINE)
    if found is None:
        raise ValueError("an InRelease file without a date")
    return parsedate_to_datetime(found[1]).date()


def _fingerprint(packages: list[str]) -> str:
    content = hashlib.sha256(repr((MACHINE, packages, SERVICES)).encode())
    for file in sorted(RECIPE.rglob("*")):
        if file.is_file():
            content.update(file.read_bytes())
    return content.hexdigest()[:12]


def _outdated(image: Path) -> bool:
    """Whether the archive was published on a later day than the one that the image is made of."""
    made_of = (image / "archive" / "sources.list").read_text()
    published = []
    for uri, suite in re.findall(r"^deb (?:\[.*?\] )?(\S+) (\S+)", made_of, re.MULTILINE):
        try:
            with urllib.request.urlopen(f"{uri.rstrip('/')}/dists/{suite}/InRelease", timeout=10) as answer:
                published.append(archive_date(answer.read().decode()))
        except OSError:
            progress.console.print("The archive cannot be reached: using the image that is there.")
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
    whole = cache.DIRECTORY / f"{key}-{published}"
    # a mirror may answer apt from before what it told us
    if not whole.exists():
        directory.rename(whole)
    return whole


def _sources() -> list[str]:
    """This machine's own mirrors of Debian 12, where it uses that."""
    lines = run(
        "apt-get", "indextargets", "--format", "deb $(REPO_URI) $(RELEASE) $(COMPONENT)",
        "Identifier: Packages", "Origin: Debian", "Component: main",
    ).splitlines()  # fmt: skip
    ours = [line for line in lines if line.split()[2] in SUITES]
    return ours if any(line.split()[2] == SUITES[0] for line in ours) else []


def _in_use(image: Path) -> bool:
    """Whether something is mounted from the image, in whatever namespace."""
    for mounts in Path("/proc").glob("[0-9]*/mountinfo"):
        try:
            if str(image) in mounts.read_text():
                return True
        except OSError:
            continue
    return False
