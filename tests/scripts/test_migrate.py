"""migrate/migrate.sh: a tree of files onto a mounted volume."""

from __future__ import annotations

import subprocess
import threading
import time
from collections.abc import Iterator, Mapping

import pytest

from components.machine.remote import PRELUDE, command_text
from tests.scripts import params
from tests.scripts.node import COMPONENTS, OUTSIDE, Node

SOURCE = "/srv/site"
TARGET = f"{params.ROOT}/moved"
MIGRATE = {"SOURCE": SOURCE, "TARGET": TARGET, "ASIDE": "", "COPY": params.text("migrate/copy.sh")}

TREE = r"""
mkdir -p "$1/uploads/leer und mehr" "$1/cache"
echo page >"$1/index.php"; ln "$1/index.php" "$1/hard.php"; ln -s index.php "$1/soft.php"; ln -s /nowhere "$1/dangling"
printf 'täg\n' >"$1/uploads/leer und mehr/Ünïcode #1.txt"
truncate -s 64M "$1/sparse.img"; printf end >>"$1/sparse.img"
head -c 3000000 /dev/urandom >"$1/uploads/photo.jpg"
setfattr -n user.origin -v camera "$1/uploads/photo.jpg"; setfattr -n user.kept -v yes "$1/cache"
echo '#' >"$1/#hash"; echo secret >"$1/secret"; chmod 0640 "$1/secret"; chmod 4755 "$1/hard.php"; chmod 2775 "$1/cache"
chown -h 1234:33 "$1/secret" "$1/soft.php"; chown 33:33 "$1/uploads"
touch -d '2001-02-03 04:05:06.789' "$1/secret" "$1/uploads/photo.jpg"
touch -h -d '2002-02-02 02:02:02.123456789' "$1"/{soft.php,dangling}
touch -d '2003-03-03 03:03:03.987654321' "$1"{/uploads/*/,/uploads/,/cache/,/}
"""

LISTING = r"""
cd "$1"
find . -path ./.ha-wordpress -prune -o ! -type d -printf '%P %y %m %U %G %T@ %n %l\n' | sort
find . -path ./.ha-wordpress -prune -o -type d -printf '%P %m %U %G %T@\n' | sort
find . -path ./.ha-wordpress -prune -o -type f -exec sha256sum {} + | sort
getfattr --absolute-names --recursive --physical --dump . | grep -v '^$'
stat --format '%i' index.php hard.php | uniq | wc -l
"""


BROKEN = r"""
cp -a "$1/." "$2"
mkdir "$2/.ha-wordpress"
echo "moved from $(hostname):$1" >"$2/.ha-wordpress/copying"
printf X | dd of="$2/uploads/photo.jpg" bs=1 seek=1000 conv=notrunc status=none
touch -r "$1/uploads/photo.jpg" "$2/uploads/photo.jpg"
"""


REWRITE = r"""
printf "$2" >"$1/cache/rewritten"
touch -d "2004-04-04 04:04:04.$3" "$1/cache/rewritten"
"""
"""Writes a file, and sets its time to a fraction of one and the same second."""

CHANGE_BEFORE_THE_COMPARISON = rf"""#!/bin/bash
if [[ "$*" == *--dry-run* ]]; then
    printf new >{SOURCE}/cache/rewritten
    touch -d '2004-04-04 04:04:04.2' {SOURCE}/cache/rewritten
fi
exec /usr/bin/unshare "$@"
"""


@pytest.fixture
def node(mounted: Mapping[str, Node]) -> Iterator[Node]:
    """A node with the volume, a tree to move, an empty directory for it, and no trace of an earlier test."""
    node = mounted["gfs2"]
    node.run("bash", "-euc", TREE, "bash", SOURCE)
    node.run("install", "--directory", "--owner=www-data", TARGET)
    yield node
    node.run("bash", "-c", f"rm -rf {SOURCE} {SOURCE}.orig-* {TARGET} {OUTSIDE} /usr/local/sbin/unshare")


def listing(node: Node, tree: str) -> str:
    return node.run("bash", "-euc", LISTING, "bash", tree)


def copy(node: Node, *check: str) -> str:
    """Run copy.sh, with `CHECK=` by size and time; returns the paths that it prints."""
    environment = (f"SOURCE={SOURCE}", f"TARGET={TARGET}", *check)
    return node.run("env", *environment, "bash", "-c", PRELUDE.read_text() + MIGRATE["COPY"])


def attempt(node: Node, migrate: Mapping[str, str]) -> None:
    """Run the step; it may fail."""
    text = command_text(COMPONENTS / "migrate/migrate.sh", migrate, timeout=60)
    subprocess.run([*node.machine.exec_prefix(), "bash", "-c", text], check=False, capture_output=True, timeout=90)


def aside(node: Node) -> list[str]:
    return node.run("bash", "-c", f"ls -d {SOURCE}.orig-* 2>/dev/null || true").split()


def test_everything_of_a_tree_arrives_and_the_old_one_stays_under_a_dated_name(node: Node) -> None:
    before = listing(node, SOURCE)
    migrate = MIGRATE | {"ASIDE": "yes"}
    # bans are shared as soon as the volume is mounted
    node.run("mkdir", "-p", f"{TARGET}/.ha-wordpress/bans")
    node.step("migrate/migrate.sh", migrate)
    assert listing(node, TARGET) == before
    [old] = aside(node)
    assert listing(node, old) == before
    node.run("test", "!", "-e", SOURCE)
    blocks = int(node.run("stat", "--format", "%b", f"{TARGET}/sparse.img"))
    assert blocks * 512 < 1 << 20, "the holes were filled"

    # a second run changes neither the site, whose files have changed, nor a new directory at the old path
    node.run("bash", "-c", f"echo changed >{TARGET}/index.php; mkdir {SOURCE}; echo other >{SOURCE}/index.php")
    changed = listing(node, TARGET)
    node.again("migrate/migrate.sh", migrate)
    assert listing(node, TARGET) == changed
    assert aside(node) == [old]
    # the next step works there as www-data
    assert node.run("stat", "--format=%U", f"{TARGET}/.ha-wordpress") == "www-data\n"
    assert node.run("stat", "--format=%U", f"{TARGET}/.ha-wordpress/bans") == "root\n"


STATE = f"{TARGET}/.ha-wordpress"
ORIGIN = f"moved from gfs2:{SOURCE}"
PLANTED = {
    "the state": f"ln -s {OUTSIDE} {STATE}",
    "the claim": f"mkdir {STATE}; ln -s {OUTSIDE}/file {STATE}/copying",
    "a new claim": f"mkdir {STATE}; ln -s /etc/planted {STATE}/copying",
    "the record": f"mkdir {STATE}; ln -s {OUTSIDE}/file {STATE}/code",
    "a new name": f"mkdir {STATE}; printf '%s\\n' '{ORIGIN}' {OUTSIDE}/name >{STATE}/code",
    "a directory": f"mkdir {STATE}; echo '{ORIGIN}' >{STATE}/copying; ln -s {OUTSIDE} {TARGET}/uploads",
    "what was replaced": f"mkdir {STATE}; echo '{ORIGIN}' >{STATE}/copying; echo >{TARGET}/file; "
    f"ln -s {OUTSIDE} {STATE}/replaced",
}


@pytest.mark.parametrize("planted", PLANTED)
def test_no_link_on_the_volume_leads_root_out_of_it(node: Node, planted: str) -> None:
    node.plant(PLANTED[planted])
    before = node.protected()
    attempt(node, MIGRATE | {"ASIDE": "yes"})
    assert node.protected() == before


def test_root_reaches_nothing_but_the_volume_while_it_copies(node: Node) -> None:
    node.plant(f"ln -s {OUTSIDE} {TARGET}/absolute", f"ln -s ../../../..{OUTSIDE} {TARGET}/relative")
    before = listing(node, SOURCE), node.protected()
    for file in (f"{TARGET}/absolute/file", f"{TARGET}/relative/file", f"{SOURCE}/index.php", "/usr/local/new"):
        confined = f"confined {TARGET} {SOURCE} sh -c 'echo changed >{file}'"
        assert node.run("bash", "-c", f"{PRELUDE.read_text()}\n{confined} || echo refused").endswith("refused\n")
    assert (listing(node, SOURCE), node.protected()) == before


def test_the_old_tree_stays_unless_the_settings_rename_it(node: Node) -> None:
    node.step("migrate/migrate.sh", MIGRATE)
    assert aside(node) == []
    assert listing(node, TARGET) == listing(node, SOURCE)
    # renamed by a later run
    node.step("migrate/migrate.sh", MIGRATE | {"ASIDE": "yes"})
    assert len(aside(node)) == 1


def test_a_move_that_was_killed_goes_on_where_it_stopped(node: Node) -> None:
    node.run("bash", "-c", f"head -c 200000000 /dev/urandom >{SOURCE}/uploads/video.mp4")
    text = command_text(COMPONENTS / "migrate/migrate.sh", MIGRATE, timeout=180)
    running = subprocess.Popen([*node.machine.exec_prefix(), "bash", "-c", text])
    node.eventually("bash", "-c", f"(($(du --summarize --block-size=1M {TARGET} | cut -f1) > 40))")
    node.run("bash", "-c", "kill -TERM $(pgrep -x timeout | tail -n 1)")
    assert running.wait(timeout=30) != 0
    assert node.run("cat", f"{TARGET}/.ha-wordpress/copying").startswith("moved from ")
    node.eventually("test", "-s", f"{TARGET}/.ha-wordpress/partial/video.mp4")
    node.step("migrate/migrate.sh", MIGRATE)
    assert listing(node, TARGET) == listing(node, SOURCE)
    assert node.run("ls", "-A", f"{TARGET}/.ha-wordpress").split() == ["code"]


def test_a_site_that_is_there_is_not_overwritten(node: Node) -> None:
    node.run("bash", "-c", f"echo theirs >{TARGET}/index.php")
    before = target_files(node)
    output = node.refuses("migrate/migrate.sh", MIGRATE | {"ASIDE": "yes"})
    assert f"The volume holds files that did not come from {SOURCE}, such as {TARGET}/index.php" in output
    assert target_files(node) == before
    node.run("test", "-d", SOURCE)


def target_files(node: Node) -> str:
    return node.run("bash", "-c", f"find {TARGET} -printf '%P %T@ %i\n'; cat {TARGET}/index.php")


def test_a_file_that_is_newer_on_the_volume_is_left_and_named(node: Node) -> None:
    node.run("bash", "-c", f"mkdir -p {TARGET}/.ha-wordpress; echo newer >{TARGET}/secret; echo extra >{TARGET}/extra")
    # newer by 2 s, which rsync leaves, and by 1 s, which it does not
    node.run("touch", "-d", "2001-02-03 04:05:08.789", f"{TARGET}/secret")
    node.run("bash", "-c", f"mkdir {TARGET}/uploads; echo theirs >{TARGET}/uploads/photo.jpg")
    node.run("touch", "-d", "2001-02-03 04:05:07.789", f"{TARGET}/uploads/photo.jpg")
    node.run("bash", "-c", f"echo moved from $(hostname):{SOURCE} >{TARGET}/.ha-wordpress/copying")
    output = node.refuses("migrate/migrate.sh", MIGRATE | {"ASIDE": "yes"})
    assert "they change, or are newer there" in output
    assert "\nsecret\n" in output
    assert node.run("cat", f"{TARGET}/secret") == "newer\n"
    assert aside(node) == []
    # files that the tree lacks, or has with other content, are kept aside
    assert node.run("cat", f"{TARGET}/.ha-wordpress/replaced/extra") == "extra\n"
    assert node.run("cat", f"{TARGET}/.ha-wordpress/replaced/uploads/photo.jpg") == "theirs\n"


def test_a_tree_that_changes_without_a_pause_is_not_reported_as_moved(node: Node) -> None:
    node.run("bash", "-c", f"for i in {{1..300}}; do echo $i >{SOURCE}/cache/$i; done")
    over = threading.Event()

    def write() -> None:
        while not over.is_set():
            node.run("bash", "-c", f"date +%N >{SOURCE}/cache/1; date +%N >{SOURCE}/index.php")
            time.sleep(0.05)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        output = node.refuses("migrate/migrate.sh", MIGRATE | {"ASIDE": "yes"})
    finally:
        over.set()
        writer.join()
    assert "After 3 passes these are not the same" in output
    assert "\ncache/1\n" in output
    assert aside(node) == []
    node.step("migrate/migrate.sh", MIGRATE)
    assert listing(node, TARGET) == listing(node, SOURCE)


@pytest.mark.parametrize("check", [(), ("CHECK=",)], ids=["by checksum", "by size and time"])
def test_a_file_written_again_within_its_second_is_copied_again(node: Node, check: tuple[str, ...]) -> None:
    node.run("bash", "-euc", REWRITE, "bash", SOURCE, "old", "100000001")
    assert copy(node) == ""
    node.run("bash", "-euc", REWRITE, "bash", SOURCE, "new", "100000002")
    assert copy(node, *check) == ""
    assert node.run("cat", f"{TARGET}/cache/rewritten") == "new"
    assert listing(node, TARGET) == listing(node, SOURCE)


def test_a_file_written_again_after_its_copy_is_printed_without_a_checksum(node: Node) -> None:
    node.run("bash", "-euc", REWRITE, "bash", SOURCE, "old", "1")
    node.run("sh", "-c", "cat >/usr/local/sbin/unshare; chmod 755 /usr/local/sbin/unshare",
             stdin=CHANGE_BEFORE_THE_COMPARISON)  # fmt: skip
    assert copy(node, "CHECK=") == "cache/rewritten\n"


def test_a_second_copy_writes_nothing(node: Node) -> None:
    node.run("bash", "-euc", REWRITE, "bash", SOURCE, "old", "123456789")
    assert copy(node) == ""
    node.again("migrate/copy.sh", {"SOURCE": SOURCE, "TARGET": TARGET})
    node.run("test", "!", "-e", f"{TARGET}/.ha-wordpress/replaced")


def test_a_broken_copy_is_found_by_its_checksum(node: Node) -> None:
    # the same size and time as the original's, as after an unnoticed fault
    node.run("bash", "-euc", BROKEN, "bash", SOURCE, TARGET)
    output = node.refuses("migrate/migrate.sh", MIGRATE)
    assert "\nuploads/photo.jpg\n" in output
    node.run("test", "!", "-e", f"{TARGET}/.ha-wordpress/code")


@pytest.mark.parametrize("command", ["setfacl --modify user:1234:r", "setcap cap_net_bind_service+ep"])
def test_attributes_that_a_volume_cannot_store_are_not_dropped(node: Node, command: str) -> None:
    node.run("sh", "-c", f"{command} {SOURCE}/secret")
    output = node.refuses("migrate/migrate.sh", MIGRATE | {"ASIDE": "yes"})
    assert "Operation not supported" in output
    assert "setfacl --remove-all and setcap -r remove them" in output
    assert aside(node) == []
    node.run("sh", "-c", f"setfacl --remove-all {SOURCE}/secret; setcap -r {SOURCE}/secret || true")
    node.step("migrate/migrate.sh", MIGRATE)


@pytest.mark.parametrize(
    ("changed", "output"),
    [
        ({"SOURCE": "/srv/none"}, "/srv/none is not a directory of this machine"),
        ({"TARGET": "/srv/volume"}, "/srv/volume is not on a GlusterFS volume"),
        ({"SOURCE": "/var/www"}, f"{TARGET} is inside of /var/www itself"),
    ],
)
def test_a_wrong_source_or_target_is_refused(node: Node, changed: dict[str, str], output: str) -> None:
    assert output in node.refuses("migrate/migrate.sh", MIGRATE | changed)
    node.run("rm", "-rf", "/srv/volume")
