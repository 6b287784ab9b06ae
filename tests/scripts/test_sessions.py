"""sessions/sessions.sh, on two nodes with the volume mounted, driven by the application of tests/sessions-app."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from components.sessions import sessions
from tests.scripts import params
from tests.scripts.node import OUTSIDE, Node

APP = Path(__file__).parents[1] / "sessions-app"
ROOT = "/srv/app"
MOUNT = "/media/sessions"
DIRECTORY = f"{MOUNT}/php"
GUARD = "/usr/local/lib/ha-wordpress/sessions-guard.php"
POOL_FILE = "/etc/php/*/fpm/pool.d/www-sessions.conf"
SETTINGS = sessions.params(MOUNT, https=False)


class Visitor:
    """A browser that keeps its cookies and may ask any server."""

    def __init__(self) -> None:
        self.cookies: dict[str, str] = {}

    def ask(self, node: Node, path: str = "/", **form: str) -> httpx.Response:
        """Get a page, or post a form."""
        answer = httpx.request(
            "POST" if form else "GET",
            f"http://{node.machine.endpoint.public}{path}",
            headers={"Cookie": "; ".join(f"{name}={value}" for name, value in self.cookies.items())},
            data=form or None,
            timeout=30,
        )
        self.cookies |= dict(answer.cookies)
        return answer


def mount(node: Node) -> dict[str, str]:
    """Parameters of gluster/mount.sh with the mount options of sessions."""
    return params.mount(f"node-{node.name}", MOUNT) | {"OPTIONS": ",".join(sessions.MOUNT_OPTIONS)}


@pytest.fixture(scope="module")
def servers(mounted: Mapping[str, Node]) -> Iterator[tuple[Node, Node]]:
    """Two PHP servers with the application and the mount; both are removed afterwards."""
    made = mounted["gfs2"], mounted["gfs3"]
    for option, value in sessions.VOLUME_OPTIONS.items():
        made[0].run("gluster", "--mode=script", "volume", "set", "wp", option, value)
    for node in made:
        node.step("gluster/mount.sh", mount(node))
        node.run("mkdir", "-p", ROOT)
        for page in APP.iterdir():
            node.run("tee", f"{ROOT}/{page.name}", stdin=page.read_text())
        web = params.web()
        node.step("web/web.sh", web | {"MOUNT": MOUNT, "NGINX": web["NGINX"].replace(params.ROOT, ROOT)})
    yield made
    for option in sessions.VOLUME_OPTIONS:
        made[0].run("gluster", "--mode=script", "volume", "set", "wp", option, "on")
    for node in made:
        node.run("systemctl", "disable", "--quiet", "--now", "sessions-collect.timer")
        node.run("sh", "-c", f"rm -f {POOL_FILE}; systemctl reload 'php*-fpm'")
        node.run("rm", "-rf", DIRECTORY)
        node.run("systemctl", "disable", "--quiet", "--now", "gluster-mount@media-sessions.service")
        node.run("sed", "-i", f"\\# {MOUNT} #d", "/etc/fstab")


@pytest.fixture
def pair(servers: tuple[Node, Node]) -> tuple[Node, Node]:
    """The two servers with their sessions on the mount."""
    for node in servers:
        node.step("gluster/mount.sh", mount(node))
        node.step("sessions/sessions.sh", SETTINGS)
        node.eventually("curl", "--silent", "--fail", "http://127.0.0.1/healthz")
    return servers


def test_sessions_are_refused_without_the_mount_and_the_pool(spare: Node) -> None:
    before = spare.state()
    output = spare.refuses("sessions/sessions.sh", SETTINGS | {"MOUNT": "/media/none"})
    assert "No GlusterFS volume is mounted at /media/none." in output
    assert spare.state() == before


def test_sessions_go_from_server_to_server(pair: tuple[Node, Node]) -> None:
    visitor = Visitor()
    answers = [visitor.ask(pair[at % 2]).json() for at in range(10)]
    assert [answer["counter"] for answer in answers] == list(range(1, 11))
    assert {answer["server"] for answer in answers} == {"gfs2", "gfs3"}
    assert len({answer["session"] for answer in answers}) == 1
    for node in pair:
        node.again("sessions/sessions.sh", SETTINGS)


def test_session_of_an_application_that_logs_in_and_buys(pair: tuple[Node, Node]) -> None:
    one, two = pair
    visitor = Visitor()
    before = visitor.ask(one, "/cart.php", item="tea").json()["session"]
    logged_in = visitor.ask(two, "/login.php", user="ada").json()
    assert logged_in["session"] != before
    assert visitor.ask(one, "/login.php").json()["user"] == "ada"
    assert visitor.ask(one, "/cart.php", item="milk").json()["cart"] == ["tea", "milk"]
    assert visitor.ask(two, "/cart.php").json()["cart"] == ["tea", "milk"]
    assert visitor.ask(one, "/login.php", logout="1").json()["user"] is None
    assert visitor.ask(two, "/login.php").json()["user"] is None
    cookie = Visitor().ask(one).headers["Set-Cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Lax" in cookie


def test_requests_of_one_session_wait_for_each_other_on_both_servers(pair: tuple[Node, Node]) -> None:
    visitor = Visitor()
    visitor.ask(pair[0])
    with ThreadPoolExecutor(8) as pool:
        counters = list(pool.map(lambda at: visitor.ask(pair[at % 2]).json()["counter"], range(60)))
    assert sorted(counters) == list(range(2, 62))


def test_an_identifier_that_a_visitor_made_up_begins_no_session(pair: tuple[Node, Node]) -> None:
    visitor = Visitor()
    visitor.cookies["PHPSESSID"] = made_up = "a" * 26
    assert visitor.ask(pair[0]).json()["counter"] == 1
    assert visitor.cookies["PHPSESSID"] != made_up


def test_only_php_reads_the_sessions(pair: tuple[Node, Node]) -> None:
    node, _ = pair
    visitor = Visitor()
    visitor.ask(node)
    file = f"{DIRECTORY}/sess_{visitor.cookies['PHPSESSID']}"
    assert node.run("cat", file).rstrip("\0") == "counter|i:1;\n"
    refused = node.run("sh", "-c", f"runuser --user nobody -- cat {file} 2>&1 || true")
    assert "Permission denied" in refused
    # the command line, cron and the pool of /healthz keep Debian's setting
    assert "/var/lib/php/sessions" in node.run("php", "-r", "phpinfo();")


def change(node: Node, visitor: Visitor, change: str, *limit: str) -> None:
    """Change a session by a script outside the application; `limit`: words before its command, such as prlimit."""
    page = "/tmp/change.php"
    begin = f"session_id('{visitor.cookies['PHPSESSID']}'); session_start();"
    node.run("tee", page, stdin=f"<?php {begin} {change}")
    php = ["php", "-d", f"session.save_path={DIRECTORY}", "-d", f"auto_prepend_file={GUARD}", page]
    node.run("sh", "-c", '"$@" 2>&1 || true', "sh", "runuser", "--user=www-data", "--", *limit, *php)


def test_a_server_that_dies_while_it_writes_leaves_the_session_as_it_was(pair: tuple[Node, Node]) -> None:
    node, other = pair
    visitor = Visitor()
    visitor.ask(node)
    # the first byte that it writes to a file kills it
    change(node, visitor, "$_SESSION['counter'] = 10;", "prlimit", "--fsize=0")
    assert visitor.ask(other).json()["counter"] == 2
    change(node, visitor, "$_SESSION['counter'] = 10;")
    assert visitor.ask(other).json()["counter"] == 11


LOST_POWER = r"""
namespace HaWordPress\Sessions;
// the disk gets what was written so far, but not the file's new length
function fsync($file) {
    if (--$GLOBALS['syncs'] === 0) {
        exec('python3 /mnt/data-only.py ' . path(session_id()));
        posix_kill(getmypid(), 9);
    }
    return \fsync($file);
}
"""
"""PHP that loses power while it waits for the last of `syncs` calls."""
DATA_ONLY = """
import ctypes, os, sys
ALL = 7  # sync_file_range(2): writes the pages, and waits for them
file = os.open(sys.argv[1], os.O_RDWR)
assert ctypes.CDLL(None).sync_file_range(file, ctypes.c_int64(0), ctypes.c_int64(0), ALL) == 0
"""


@pytest.mark.parametrize("syncs", [1, 2])
@pytest.mark.parametrize("length", [30, 5000])
def test_a_session_that_gets_longer_survives_a_power_loss_before_its_length_is_on_the_disk(
    spare: Node, length: int, syncs: int
) -> None:
    spare.run("mkfs.xfs", "-q", "-f", spare.disk)

    def php(text: str) -> str:
        spare.run("tee", "/mnt/page.php", stdin=text)
        words = ["php", "-d", "session.save_path=/mnt", "-d", "auto_prepend_file=/mnt/in-place.php", "/mnt/page.php"]
        return spare.run("sh", "-c", '"$@" || true', "sh", *words)

    begin = "session_id('buyer'); session_start();"
    try:
        spare.run("mount", spare.disk, "/mnt")
        spare.run("tee", "/mnt/in-place.php", stdin=SETTINGS["IN_PLACE"])
        spare.run("tee", "/mnt/data-only.py", stdin=DATA_ONLY)
        # as an earlier version left it, without zeros
        spare.run("tee", "/mnt/sess_buyer", stdin='cart|a:1:{i:0;s:3:"tea";}counter|i:9;\n')
        spare.run("sync")
        php(f"<?php {LOST_POWER} $syncs = {syncs}; {begin} $_SESSION['cart'][] = str_repeat('milk', {length});")
        spare.machine.power_off()
        spare.machine.power_on()
        spare.eventually("systemctl", "is-active", "--quiet", "ssh")
        spare.run("mount", spare.disk, "/mnt")
        stored = json.loads(php(f"<?php {begin} echo json_encode($_SESSION);"))
        assert stored in ({"cart": cart, "counter": 9} for cart in (["tea"], ["tea", "milk" * length]))
    finally:
        spare.run("sh", "-c", "umount /mnt; wipefs --all --quiet " + spare.disk)


OUTDATED = "import os, sys; print(os.getxattr(sys.argv[1], 'trusted.afr.wp-client-0').hex())"
"""Prints a brick's mark of a file's copy on the first brick; the first 8 digits count the changes that it lacks."""


def test_a_copy_that_lacks_a_change_is_marked_on_the_disks_before_php_answers(
    pair: tuple[Node, Node], mounted: Mapping[str, Node]
) -> None:
    lost, node = pair
    visitor = Visitor()
    visitor.ask(node)
    mounted["gfs1"].run("systemctl", "stop", "glusterd")
    try:
        assert visitor.ask(node).json()["counter"] == 2
        lost.machine.power_off()
        lost.machine.power_on()
        lost.eventually("findmnt", params.BRICK_MOUNT, within=120)
        file = f"{params.BRICK}/php/sess_{visitor.cookies['PHPSESSID']}"
        assert lost.run("cat", file).rstrip("\0") == "counter|i:2;\n"
        assert int(lost.run("python3", "-c", OUTDATED, file)[:8], 16) > 0
    finally:
        mounted["gfs1"].run("systemctl", "start", "glusterd")
        lost.eventually("findmnt", "--types", "fuse.glusterfs", MOUNT, within=120)
        node.eventually("sh", "-c", params.HEALED, within=120)


def test_a_session_that_gets_shorter_holds_nothing_of_before(pair: tuple[Node, Node]) -> None:
    node, _ = pair
    visitor = Visitor()
    visitor.ask(node)
    change(node, visitor, "$_SESSION['cart'] = ['tea', 'milk'];")
    file = f"{DIRECTORY}/sess_{visitor.cookies['PHPSESSID']}"
    assert "milk" in node.run("cat", file)
    change(node, visitor, "unset($_SESSION['cart']);")
    assert node.run("cat", file).rstrip("\0") == "counter|i:1;\n"
    assert visitor.ask(node).json()["counter"] == 2


def test_debians_own_clean_up_does_not_come_here(pair: tuple[Node, Node]) -> None:
    visited = pair[0].run("sh", "-c", "sh -x /usr/lib/php/sessionclean 2>&1")
    assert "/var/lib/php/sessions" in visited
    assert MOUNT not in visited


def test_old_sessions_are_removed_once_by_one_server(pair: tuple[Node, Node]) -> None:
    node, other = pair
    old, used = (Visitor() for _ in range(2))
    files = {}
    for visitor in (old, used):
        visitor.ask(node)
        files[visitor] = f"{DIRECTORY}/sess_{visitor.cookies['PHPSESSID']}"
        node.run("touch", "--date", f"{sessions.LIFETIME + 60} seconds ago", files[visitor])
    # unchanged but in use: PHP sets its time
    used.ask(other, "/cart.php")
    # while one server has the lock, the other removes nothing
    lock = f"{DIRECTORY}/collected"
    other.run("systemd-run", "--quiet", "--uid=www-data", "--unit=holder", "flock", lock, "sleep", "infinity")
    other.eventually("sh", "-c", f"[ -e {lock} ] && ! flock --nonblock {lock} true")
    node.run("systemctl", "start", "sessions-collect.service")
    assert node.run("ls", files[old])
    other.run("systemctl", "stop", "holder")
    node.run("systemctl", "start", "sessions-collect.service")
    assert "No such file" in node.run("sh", "-c", f"ls {files[old]} 2>&1 || true")
    assert node.run("ls", files[used])
    # it was just done, so the other server does nothing
    done = other.run("cat", f"{DIRECTORY}/collected")
    other.run("systemctl", "start", "sessions-collect.service")
    assert other.run("cat", f"{DIRECTORY}/collected") == done
    node.run("rm", f"{DIRECTORY}/collected")


def test_php_answers_503_and_no_new_session_while_the_volume_is_away(pair: tuple[Node, Node]) -> None:
    node, _ = pair
    visitor = Visitor()
    visitor.ask(node)
    before = dict(visitor.cookies)
    node.run("systemctl", "stop", "gluster-mount@media-sessions.service")
    answer = visitor.ask(node)
    assert answer.status_code == 503
    assert "Set-Cookie" not in answer.headers
    assert "503" in node.run("curl", "--silent", "--head", "http://127.0.0.1/healthz").splitlines()[0]
    assert node.run("ls", "-A", MOUNT) == ""
    node.step("gluster/mount.sh", mount(node))
    assert visitor.ask(node).json()["counter"] == 2
    assert visitor.cookies == before


def test_php_answers_503_and_no_new_session_while_a_session_cannot_be_read(pair: tuple[Node, Node]) -> None:
    node, other = pair
    visitor = Visitor()
    visitor.ask(node)
    before = dict(visitor.cookies)
    # in the place of ENOTCONN, with which every call fails while the newest copy of the file is away
    node.run("chmod", "0", DIRECTORY)
    for server in pair:
        answer = visitor.ask(server)
        assert answer.status_code == 503
        assert "Set-Cookie" not in answer.headers
    node.run("chmod", "700", DIRECTORY)
    assert visitor.ask(other).json()["counter"] == 2
    # the session's file can be opened, but not be read
    file = f"{DIRECTORY}/sess_{before['PHPSESSID']}"
    node.run("chown", "nobody", file)
    node.run("chmod", "666", file)
    assert visitor.ask(node).status_code == 503
    node.run("chown", "www-data", file)
    # its lock is free
    assert [visitor.ask(server).json()["counter"] for server in (other, node)] == [3, 4]
    assert visitor.cookies == before


@pytest.mark.parametrize("length", [0, 1_000_000])
def test_php_answers_503_when_a_session_cannot_be_written(pair: tuple[Node, Node], length: int) -> None:
    node, other = pair
    visitor = Visitor()
    visitor.ask(node)
    page = f"{ROOT}/unwritten.php"
    text = "require 'session.php'; $_SESSION['counter'] = 10; chmod(session_save_path(), 0);"
    node.run("tee", page, stdin=f"<?php {text} answer(['padding' => str_repeat('x', {length})]);")
    answer = visitor.ask(node, "/unwritten.php")
    assert (answer.status_code, answer.text) == (503, "Sessions are not available for the moment.\n")
    node.run("chmod", "700", DIRECTORY)
    assert visitor.ask(other).json()["counter"] == 2
    node.run("rm", page)


def test_a_link_in_the_place_of_the_sessions_is_refused(pair: tuple[Node, Node]) -> None:
    node, _ = pair
    node.plant(f"mv {DIRECTORY} {DIRECTORY}.kept", f"ln -s {OUTSIDE} {DIRECTORY}")
    before = node.protected()
    output = node.refuses("sessions/sessions.sh", SETTINGS)
    assert f"{DIRECTORY} is not a directory of www-data" in output
    assert node.protected() == before
    node.run("sh", "-c", f"rm {DIRECTORY}; mv {DIRECTORY}.kept {DIRECTORY}")


def test_a_killed_step_of_the_web_server_is_in_force_after_the_next(pair: tuple[Node, Node]) -> None:
    node, _ = pair
    web = params.web()
    one = web | {"MOUNT": MOUNT, "NGINX": web["NGINX"].replace(params.ROOT, ROOT)}
    other = {
        "NGINX": one["NGINX"].replace("    root ", "    add_header X-Tested yes always;\n    root "),
        "PHP_INI": one["PHP_INI"].replace("revalidate_freq = 10", "revalidate_freq = 11"),
    }
    page = f"{ROOT}/probe.php"
    node.run("tee", page, stdin='<?php echo ini_get("opcache.revalidate_freq");')
    asked = "curl --silent --include http://127.0.0.1/probe.php >/tmp/answer"
    in_force = {
        "one": f"{asked} && ! grep -q X-Tested /tmp/answer && grep -qx 10 /tmp/answer",
        "other": f"{asked} && grep -q X-Tested /tmp/answer && grep -qx 11 /tmp/answer",
    }
    node.applies_after_kills("web/web.sh", one, one | other, in_force)
    node.step("web/web.sh", one)
    node.run("rm", page)


def test_a_killed_step_is_in_force_after_the_next(pair: tuple[Node, Node]) -> None:
    node, _ = pair
    page = f"{ROOT}/probe.php"
    node.run("tee", page, stdin='<?php echo ini_get("session.gc_maxlifetime");')
    asked = "curl --silent http://127.0.0.1/probe.php | grep -qx"
    longer = SETTINGS | {"POOL": SETTINGS["POOL"].replace(f"= {sessions.LIFETIME}\n", "= 2000\n")}
    in_force = {"one": f"{asked} {sessions.LIFETIME}", "other": f"{asked} 2000"}
    node.applies_after_kills("sessions/sessions.sh", SETTINGS, longer, in_force)
    node.step("sessions/sessions.sh", SETTINGS)
    node.run("rm", page)


def test_sessions_go_on_as_they_were_when_the_pool_is_wrong(pair: tuple[Node, Node]) -> None:
    node, _ = pair
    output = node.refuses("sessions/sessions.sh", SETTINGS | {"POOL": "[www]\nno_such_setting = 1\n"})
    assert "no_such_setting" in output
    node.again("sessions/sessions.sh", SETTINGS)
    assert Visitor().ask(node).json()["counter"] == 1
