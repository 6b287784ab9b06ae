"""cloud/existing/packages.sh, on a machine that exists already."""

from __future__ import annotations

import re
import subprocess
import time
from collections.abc import Iterator

import pytest
import yaml

from components.cloud.existing import packages
from components.machine.remote import command_text
from components.machine.user_data import PARTS
from tests.scripts.node import COMPONENTS, Node

STEP = "cloud/existing/packages.sh"
ENV = "/etc/ha-wordpress/os.env"
BLACKLIST = "Unattended-Upgrade::Package-Blacklist"

# An archive of three test packages: `rehearsed` depends on `rehearsed-library`, recommends `rehearsed-friend`, asks
# about its configuration, and starts a service.
ARCHIVE = r"""
mkdir -p /srv/archive && cd /srv/archive
package() {
    mkdir -p "$1/DEBIAN" "$1/etc/$1" "$1/lib/systemd/system"
    printf 'Package: %s\nVersion: 1\nArchitecture: all\nMaintainer: test <test@example.com>\nDescription: test\n' \
        "$1" >"$1/DEBIAN/control"
}
for name in rehearsed rehearsed-library rehearsed-friend; do package $name; done
printf 'Depends: rehearsed-library\nRecommends: rehearsed-friend\n' >>rehearsed/DEBIAN/control
echo ours >rehearsed/etc/rehearsed/conf; echo /etc/rehearsed/conf >rehearsed/DEBIAN/conffiles
printf '[Service]\nExecStart=/bin/sleep infinity\n[Install]\nWantedBy=multi-user.target\n' \
    >rehearsed/lib/systemd/system/rehearsed.service
printf '#!/bin/sh\ndeb-systemd-helper enable rehearsed.service\ndeb-systemd-invoke start rehearsed.service\n' \
    >rehearsed/DEBIAN/postinst
chmod 755 rehearsed/DEBIAN/postinst
: >Packages
for name in rehearsed rehearsed-library rehearsed-friend; do
    dpkg-deb --build --root-owner-group $name >/dev/null
    dpkg-deb --field $name.deb >>Packages
    printf 'Filename: ./%s\nSize: %s\nSHA256: %s\n\n' $name.deb "$(stat --format %s $name.deb)" \
        "$(sha256sum $name.deb | cut -d ' ' -f 1)" >>Packages
done
echo 'deb [trusted=yes] file:/srv/archive ./' >/etc/apt/sources.list.d/archive.list
# the operator's configuration, kept from an earlier installation
mkdir -p /etc/rehearsed && echo theirs >/etc/rehearsed/conf
"""

UNDO = r"""
systemctl stop rehearsed
dpkg --purge rehearsed rehearsed-library rehearsed-friend >/dev/null 2>&1
rm -rf /srv/archive /etc/apt/sources.list.d/archive.list /etc/rehearsed /etc/ha-wordpress /etc/rehearsed.d
rm -f /usr/local/sbin/dnf /usr/local/sbin/rpm /run/dnf /run/installed /srv/os-release
apt-get update -qq
true
"""


@pytest.fixture
def node(spare: Node) -> Iterator[Node]:
    spare.run("bash", "-euc", ARCHIVE)
    yield spare
    spare.run("bash", "-c", UNDO)


def settings(names: str, files: str = "") -> dict[str, str]:
    return {"PACKAGES": names, "FILES": files}


def status(node: Node, package: str) -> str:
    return node.run("sh", "-c", f"dpkg-query --show --showformat '${{db:Status-Status}}' {package} 2>/dev/null || true")


def test_a_missing_package_is_installed_and_no_service_starts_by_itself(node: Node) -> None:
    node.step(STEP, settings("curl rehearsed"))
    assert [status(node, f"rehearsed{name}") for name in ("", "-library", "-friend")] == [
        "installed",
        "installed",
        "not-installed",
    ]
    assert node.run("cat", "/etc/rehearsed/conf") == "theirs\n"
    assert node.run("sh", "-c", "systemctl is-active rehearsed || true") == "inactive\n"
    assert node.run("systemctl", "is-enabled", "rehearsed") == "enabled\n"
    node.run("test", "!", "-e", "/usr/sbin/policy-rc.d")
    assert "APACHE_SERVICE=apache2\n" in node.run("cat", ENV)
    node.again(STEP, settings("curl rehearsed"))


def test_a_second_run_asks_no_archive_and_takes_about_a_second(node: Node) -> None:
    node.step(STEP, packages.params(["gluster-client", "gluster", "web", "wordpress"]))
    changed = node.run("stat", "--format", "%Z", "/var/lib/apt/lists", "/var/lib/dpkg/status")
    node.again(STEP, packages.params(["gluster-client", "gluster", "web", "wordpress"]))
    seconds = []
    for _ in range(3):
        start = time.monotonic()
        node.step(STEP, packages.params(["gluster-client", "gluster", "web", "wordpress"]))
        seconds.append(time.monotonic() - start)
    # three times the second, as others use the processors too
    assert min(seconds) < 3
    assert node.run("stat", "--format", "%Z", "/var/lib/apt/lists", "/var/lib/dpkg/status") == changed


def test_the_files_of_the_parts_are_written(node: Node) -> None:
    node.step(STEP, packages.params(["base", "gluster-client"]))
    assert "Package-Blacklist" in node.run("cat", "/etc/apt/apt.conf.d/52no-unattended-glusterfs")
    files = "==> /etc/rehearsed.d/a b\none\n\n  two '$x'\n==> /etc/rehearsed.d/c\nthree\n"
    node.step(STEP, settings("", files))
    assert node.run("cat", "/etc/rehearsed.d/a b") == "one\n\n  two '$x'\n"
    assert node.run("cat", "/etc/rehearsed.d/c") == "three\n"
    before = node.run("stat", "--format", "%i %Z", "/etc/rehearsed.d/c")
    node.again(STEP, settings("", files))
    assert node.run("stat", "--format", "%i %Z", "/etc/rehearsed.d/c") == before


@pytest.mark.parametrize("lock", ["/var/lib/dpkg/lock-frontend", "/var/lib/apt/lists/lock"])
def test_another_package_manager_is_waited_for(node: Node, lock: str) -> None:
    held = (
        f"import fcntl, time; file = open('{lock}', 'a'); fcntl.lockf(file, fcntl.LOCK_EX); print('held', flush=True)"
    )
    words = [*node.machine.exec_prefix(), "python3", "-c", f"{held}; time.sleep(4)"]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout
        assert holder.stdout.readline() == "held\n"
        start = time.monotonic()
        node.step(STEP, settings("rehearsed"))
        assert time.monotonic() - start > 3
    assert status(node, "rehearsed") == "installed"


def test_packages_that_no_archive_has_are_named_and_nothing_changes(node: Node) -> None:
    before = node.state()
    output = node.refuses(
        STEP, settings("curl rehearsed no-such-package glusterfs-absent", "==> /etc/rehearsed.d/c\nthree\n")
    )
    assert "No archive of this machine has glusterfs-absent, no-such-package. Nothing was changed." in output
    assert "universe" in output
    assert status(node, "rehearsed") == ""
    assert node.state() == before


def on(node: Node, os_release: str, params: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """Run the step with another file mounted over /etc/os-release, for the step alone."""
    node.run("sh", "-c", "cat >/srv/os-release", stdin=os_release)
    script = f"mount --bind /srv/os-release /etc/os-release\n{command_text(COMPONENTS / STEP, params, timeout=60)}"
    words = [*node.machine.exec_prefix(), "unshare", "--mount", "bash", "-euc", script]
    return subprocess.run(words, check=False, capture_output=True, text=True, timeout=90)


DNF = """#!/bin/sh
case $* in
*repoquery*absent | *repoquery*uacme) ;;
*repoquery*) echo found ;;
*) echo "$*" >>/run/dnf; for name; do echo "$name" >>/run/installed; done ;;
esac
"""
RPM = '#!/bin/sh\nfor name; do :; done\ngrep -qxF -- "$name" /run/installed\n'
ROCKY = 'NAME="Rocky Linux"\nID="rocky"\nID_LIKE="rhel centos fedora"\nVERSION_ID="9.6"\n'


@pytest.fixture
def el(node: Node) -> Node:
    """A machine with stand-ins for dnf and rpm that record their arguments.

    No system of the EL family boots here: the packages' names are tested, not whether its archives have them.
    """
    for name, text in {"dnf": DNF, "rpm": RPM}.items():
        node.run("sh", "-c", f"cat >/usr/local/sbin/{name}; chmod 755 /usr/local/sbin/{name}", stdin=text)
    node.run("sh", "-c", "echo curl >/run/installed")
    return node


@pytest.mark.parametrize("os_release", [ROCKY, "ID=fedora\nVERSION_ID=41\n", 'ID="ol"\nID_LIKE="fedora"\n'])
def test_the_el_family_has_names_of_its_own(el: Node, os_release: str) -> None:
    parts = packages.params(["gluster-client", "gluster", "apache", "web"])
    before = el.run("ls", "/etc/apt/apt.conf.d")
    done = on(el, os_release, parts)
    assert (done.returncode, done.stdout + done.stderr) == (0, "")
    assert el.run("cat", "/run/dnf").split() == [
        "--quiet", "--assumeyes", "--setopt=install_weak_deps=False", "install",
        "glusterfs-fuse", "glusterfs-server", "xfsprogs", "rsync", "nginx", "php-fpm", "php-mysqlnd", "php-gd",
        "php-xml", "php-common", "php-mbstring", "php-intl", "php-pecl-zip", "ca-certificates",
    ]  # fmt: skip
    assert el.run("cat", ENV) == "APACHE_SERVICE=httpd\nAPACHE_CONF=/etc/httpd/conf.d\n"
    # apt's settings stay out
    assert el.run("ls", "/etc/apt/apt.conf.d") == before
    el.run("rm", "/run/dnf")
    assert on(el, os_release, parts).returncode == 0
    el.run("test", "!", "-e", "/run/dnf")


@pytest.mark.parametrize(
    ("needed", "absent", "way"),
    [
        (settings("rsync glusterfs-absent"), "glusterfs-absent", ["dnf install centos-release-gluster11"]),
        (packages.params(["balancer", "acme"]), "uacme", ["tls.certificate in place of tls.acme"]),
        (
            settings("glusterfs-absent uacme absent glusterfs-also-absent"),
            "glusterfs-absent, uacme, absent, glusterfs-also-absent",
            ["tls.certificate in place of tls.acme", "dnf install centos-release-gluster11"],
        ),
    ],
)
def test_the_el_family_is_shown_the_archives_of_absent_packages(
    el: Node, needed: dict[str, str], absent: str, way: list[str]
) -> None:
    done = on(el, ROCKY, needed)
    assert done.returncode == 1
    lines = done.stderr.splitlines()
    assert lines[0] == f"No archive of this machine has {absent}. Nothing was changed."
    assert len(lines) == len(way) + 1
    assert all(part in line for part, line in zip(way, lines[1:], strict=True))
    el.run("test", "!", "-e", "/run/dnf")
    el.run("test", "!", "-e", ENV)


def test_an_unknown_family_is_refused(node: Node) -> None:
    done = on(node, 'PRETTY_NAME="Alpine Linux v3.20"\nID=alpine\n', settings("curl"))
    assert done.returncode == 1
    assert done.stderr.startswith("Alpine Linux v3.20 is not a system that this program supports: use Debian, ")
    node.run("test", "!", "-e", ENV)


def test_ubuntu_is_of_debians_family(node: Node) -> None:
    assert on(node, 'ID=ubuntu\nID_LIKE=debian\nVERSION_ID="24.04"\n', settings("rehearsed")).returncode == 0
    assert status(node, "rehearsed") == "installed"


def test_no_package_of_glusterfs_is_upgraded_unattended(spare: Node) -> None:
    [file] = yaml.safe_load((PARTS / "gluster-client.yaml").read_text())["write_files"]
    spare.run("tee", "/srv/blacklist", stdin=file["content"])
    dump = spare.run("apt-config", "-c", "/srv/blacklist", "dump", "--format", "%v%n", BLACKLIST)
    patterns = dump.split()
    sources = spare.run("dpkg-query", "--show", "--showformat", "${source:Package} ${Package}\n").splitlines()
    packages = [line.split()[1] for line in sources if line.startswith("glusterfs ")]
    # unattended-upgrade(8) matches a pattern at the beginning of a name
    free = [name for name in packages if not any(re.match(pattern, name) for pattern in patterns)]
    assert {"glusterfs-server", "libglusterfs0"} <= set(packages)
    assert free == []
