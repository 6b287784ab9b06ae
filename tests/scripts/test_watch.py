"""The step of watch/: each trouble that lasts is mailed once, and once more when it is over."""

from __future__ import annotations

import email
import email.policy
import re
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

from components.config.settings import Smtp
from components.machine.etc_hosts import host_name
from components.roll.nodes import Duties
from components.watch.watch import PORT, Alarms, watch_params
from rehearsal.region.region import Region
from tests.scripts import params
from tests.scripts.node import Node
from tests.scripts.test_wordpress import MAIL_SERVER, mail_server

STEP = "watch/watch.sh"
LASTING = 3
"""Seconds that a trouble lasts here before it is mailed."""
NEVER = 100_000
"""Seconds between two checks of the timer here: a test decides when a node is checked."""
SENDER, RECIPIENT = "site@rehearsal.test", "o'brien@rehearsal.test"
MOUNT_UNIT = "gluster-mount@var-www-html"
SECRETS = {"SMTP_PASSWORD": params.SMTP_PASSWORD}


def step(node: Node, *, full: int = 100, port: int = 587) -> dict[str, str]:
    """Parameters of watch.sh. `full`: percent from which on a disk counts as full; `port`: the mail server's."""
    smtp = Smtp.model_validate({"host": MAIL_SERVER, "port": port, "user": params.SMTP_USER})
    duties = Duties(urls=(), volume="wp", access_log="")
    alarms = Alarms("test-site", SENDER, RECIPIENT, smtp)
    given = watch_params(host_name(node.name), duties, params.BRICK, alarms, every=NEVER, lasting=LASTING, full=full)
    return {**given, "LISTEN": f"{node.address}:{PORT}"}


@pytest.fixture(scope="module")
def watched(mounted: Mapping[str, Node]) -> Mapping[str, Node]:
    """Three nodes with the volume, and their checks."""
    with ThreadPoolExecutor() as pool:
        list(pool.map(lambda node: node.step(STEP, step(node), SECRETS), mounted.values()))
    return mounted


@pytest.fixture
def mails(watched: Mapping[str, Node], region: Region, tmp_path: Path) -> Iterator[Path]:
    """The directory of a mail server for all nodes; nothing is wrong, and nothing was mailed."""
    with mail_server(region, [*watched.values()], tmp_path, "starttls", MAIL_SERVER):
        yield tmp_path / "mail/new"
        settle(watched)


def check(*nodes: Node) -> None:
    """Check the nodes once, at the same time."""
    with ThreadPoolExecutor() as pool:
        list(pool.map(lambda node: node.run("sh", "-c", "systemctl start site-watch || true"), nodes))


def check_for(seconds: float, *nodes: Node) -> None:
    """Check the nodes for at least that long, again and again."""
    check(*nodes)
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        check(*nodes)
    check(*nodes)


def settle(nodes: Mapping[str, Node]) -> None:
    """Check the nodes until each has told that all is over."""
    for _ in range(30):
        check(*nodes.values())
        if not any(node.run("sh", "-c", "cat /var/lib/ha-wordpress/watch/mailed").strip() for node in nodes.values()):
            return
    pytest.fail("a trouble does not end")


def received(directory: Path) -> list[tuple[str, list[str]]]:
    """Subject of each mail, in the order of their arrival, and the lines of its text about troubles."""
    found = []
    for path in sorted(directory.iterdir(), key=lambda path: path.stat().st_mtime_ns):
        mail = email.message_from_bytes(path.read_bytes(), policy=email.policy.default)
        assert (mail["From"], mail["To"]) == (SENDER, RECIPIENT)
        assert mail["Date"]
        lines = mail.get_content().splitlines()
        assert lines[-1].startswith("docs/operations.md")
        found.append((mail["Subject"], [line for line in lines[:-1] if line]))
    return found


def figures(node: Node) -> dict[str, float]:
    """The figures of a node's check, as Prometheus fetches them."""
    text = node.run("curl", "--silent", "--fail", f"http://{node.address}:{PORT}/metrics")
    found = re.findall(r"^ha_wordpress_(\S+) (\S+)$", text, re.MULTILINE)
    return {name: float(value) for name, value in found}


@contextmanager
def failed_unit(node: Node) -> Iterator[None]:
    node.run("sh", "-c", "systemd-run --quiet --wait --unit=broken false || true")
    try:
        yield
    finally:
        node.run("systemctl", "reset-failed", "broken")


def test_a_healthy_pool_shows_its_figures_and_mails_nothing(watched: Mapping[str, Node], mails: Path) -> None:
    check_for(4 * LASTING, *watched.values())
    assert received(mails) == []
    for name, node in watched.items():
        shown = figures(node)
        assert shown["troubles"] == shown["peers_disconnected"] == shown["units_failed"] == 0
        assert shown[f'mount_readable{{path="{params.ROOT}"}}'] == 1
        assert 0 < shown[f'disk_used_percent{{path="{params.BRICK_MOUNT}"}}'] < 50
        assert shown['certificate_days{file="/etc/ssl/glusterfs.pem"}'] > 365
        assert ("bricks_offline" in shown) == (name == "gfs1")
    shown = figures(watched["gfs1"])
    assert shown["bricks_offline"] == shown["entries_to_heal"] == shown["entries_in_split_brain"] == 0


def test_a_second_step_changes_nothing(watched: Mapping[str, Node]) -> None:
    node = watched["gfs1"]
    node.again(STEP, step(node), SECRETS)
    assert node.run("systemctl", "is-enabled", "site-watch.timer") == "enabled\n"
    assert node.run("systemctl", "is-active", "site-watch.timer") == "active\n"
    private = "/etc/ha-wordpress/smtp-password", "/etc/ha-wordpress/msmtp"
    assert node.run("stat", "--format=%U %a", *private) == "root 600\n" * 2


def test_an_offline_brick_is_mailed_by_one_node_and_once(watched: Mapping[str, Node], mails: Path) -> None:
    offline = f"brick {host_name('gfs2')}:{params.BRICK} is offline"
    watched["gfs2"].run("pkill", "-x", "glusterfsd")
    try:
        check(*watched.values())
        assert received(mails) == []
        check_for(3 * LASTING, *watched.values())
        found = received(mails)
        assert len(found) == 1, found
        ((subject, (line,)),) = found
        assert subject == f"[test-site] gfs1: {offline}"
        assert re.fullmatch(rf"since \S+ \S+ UTC: {re.escape(offline)}", line)
        assert figures(watched["gfs1"])["bricks_offline"] == 1
    finally:
        watched["gfs1"].run("gluster", "--mode=script", "volume", "start", "wp", "force")
    settle(watched)
    _, (subject, (line,)) = received(mails)
    assert subject == f"[test-site] gfs1: over: {offline}"
    assert line.startswith("over, from ")


def test_entries_to_heal_are_one_trouble(watched: Mapping[str, Node], mails: Path) -> None:
    first = watched["gfs1"]
    watched["gfs3"].run("pkill", "-x", "glusterfsd")
    first.run("sh", "-c", f"cd {params.ROOT} && for n in $(seq 30); do echo $n >heal-$n; done")
    try:
        check_for(3 * LASTING, *watched.values())
        told = [line for _, lines in received(mails) for line in lines if "heal" in line]
        assert len(told) == 1, told
    finally:
        first.run("gluster", "--mode=script", "volume", "start", "wp", "force")
    settle(watched)
    over = [line for _, lines in received(mails) for line in lines if line.startswith("over") and "heal" in line]
    assert len(over) == 1, over


def test_a_node_that_is_gone_is_mailed_by_the_next_one(watched: Mapping[str, Node], mails: Path) -> None:
    first, *others = watched.values()
    first.run("systemctl", "stop", "glusterd")
    try:
        check_for(4 * LASTING, *others)
        told = [(subject, line) for subject, lines in received(mails) for line in lines if "peer" in line]
        ((subject, line),) = told
        assert subject.startswith("[test-site] gfs2: ")
        assert line.endswith("peer node-gfs1: Peer in Cluster (Disconnected)")
    finally:
        first.run("systemctl", "start", "glusterd")
    settle(watched)
    over = [line for _, lines in received(mails) for line in lines if line.startswith("over") and "peer" in line]
    assert len(over) == 1


def test_a_failed_unit_is_mailed_by_its_own_node(watched: Mapping[str, Node], mails: Path) -> None:
    with failed_unit(watched["gfs3"]):
        check_for(2 * LASTING, *watched.values())
        assert [subject for subject, _ in received(mails)] == ["[test-site] gfs3: broken.service has failed"]
    check(*watched.values())
    assert [subject for subject, _ in received(mails)][1:] == ["[test-site] gfs3: over: broken.service has failed"]


def test_a_trouble_that_does_not_last_is_not_mailed(watched: Mapping[str, Node], mails: Path) -> None:
    for _ in range(4):
        with failed_unit(watched["gfs3"]):
            check(watched["gfs3"])
        check(watched["gfs3"])
        time.sleep(LASTING / 2)
    assert received(mails) == []


def test_a_lost_mount_is_mailed(watched: Mapping[str, Node], mails: Path) -> None:
    node = watched["gfs2"]
    node.run("systemctl", "stop", MOUNT_UNIT)
    try:
        check_for(2 * LASTING, node)
        ((_, lines),) = received(mails)
        # the mount's unit counts as failed too
        assert [line for line in lines if line.endswith(f"UTC: {params.ROOT} is not mounted")], lines
        assert figures(node)[f'mount_readable{{path="{params.ROOT}"}}'] == 0
    finally:
        node.run("systemctl", "start", MOUNT_UNIT)
    node.eventually("mountpoint", "--quiet", params.ROOT)


def test_a_dead_mount_is_mailed(watched: Mapping[str, Node], mails: Path) -> None:
    node = watched["gfs2"]
    client = "process-name fus[e]"
    node.run("pkill", "-STOP", "-f", client)
    try:
        check_for(2 * LASTING, node)
        assert [subject for subject, _ in received(mails)] == [f"[test-site] gfs2: {params.ROOT} cannot be read"]
    finally:
        node.run("pkill", "-CONT", "-f", client)


def test_a_full_disk_is_mailed(watched: Mapping[str, Node], mails: Path) -> None:
    node = watched["gfs2"]
    node.step(STEP, step(node, full=1), SECRETS)
    check_for(2 * LASTING, node)
    ((_, lines),) = received(mails)
    assert any(re.search(r"UTC: disk of / is full to percent: \d+$", line) for line in lines), lines
    node.step(STEP, step(node), SECRETS)
    check(node)
    assert received(mails)[1][0].startswith("[test-site] gfs2: over: disk of ")


def test_a_certificate_near_its_end_is_mailed(watched: Mapping[str, Node], mails: Path) -> None:
    node, certificate = watched["gfs2"], "/etc/haproxy/site.pem"
    for days in (10, 40):
        node.run(
            "sh", "-c", "mkdir -p /etc/haproxy && openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes "
            f"-subj /CN=site -days {days} -keyout /dev/null -out {certificate} 2>/dev/null",
        )  # fmt: skip
        check_for(2 * LASTING, node)
    node.run("rm", certificate)
    line = rf"certificate {certificate} ends in days: \d+"
    (begun, _), (over, _) = received(mails)
    assert re.fullmatch(rf"\[test-site\] gfs2: {line}", begun)
    assert re.fullmatch(rf"\[test-site\] gfs2: over: {line}", over)


def test_a_mail_server_that_is_away_delays_mail(watched: Mapping[str, Node], region: Region, tmp_path: Path) -> None:
    node = watched["gfs3"]
    with failed_unit(node):
        check_for(2 * LASTING, node)
        assert node.run("sh", "-c", "systemctl is-failed site-watch || true") == "failed\n"
    check(node)
    with mail_server(region, [node], tmp_path, "starttls", MAIL_SERVER):
        check(node)
        check(node)
        failed = "broken.service has failed"
        expected = [f"[test-site] gfs3: {failed}", f"[test-site] gfs3: over: {failed}"]
        assert [subject for subject, _ in received(tmp_path / "mail/new")] == expected
    assert node.run("ls", "/var/lib/ha-wordpress/watch/outbox") == ""


def test_mail_goes_by_tls_from_the_first_byte_too(watched: Mapping[str, Node], region: Region, tmp_path: Path) -> None:
    node = watched["gfs3"]
    node.step(STEP, step(node, port=465), SECRETS)
    with mail_server(region, [node], tmp_path, "implicit", MAIL_SERVER), failed_unit(node):
        check_for(2 * LASTING, node)
        assert len(received(tmp_path / "mail/new")) == 1
    node.step(STEP, step(node), SECRETS)


@pytest.mark.parametrize(("encryption", "certified"), [("none", MAIL_SERVER), ("starttls", "other.rehearsal.test")])
def test_no_password_goes_to_another_server_or_over_plain_text(
    watched: Mapping[str, Node], region: Region, tmp_path: Path, encryption: str, certified: str
) -> None:
    node = watched["gfs3"]
    with mail_server(region, [node], tmp_path, encryption, certified), failed_unit(node):
        check_for(2 * LASTING, node)
    assert not any((tmp_path / "mail/new").iterdir())
    assert ">> b'AUTH" not in (tmp_path / "log").read_text()
    node.run("sh", "-c", "rm /var/lib/ha-wordpress/watch/outbox/*")
    check(node)
    node.run("sh", "-c", "rm -f /var/lib/ha-wordpress/watch/outbox/*")


def test_the_figures_are_at_the_private_address_only(watched: Mapping[str, Node]) -> None:
    listening = watched["gfs1"].run("ss", "--no-header", "--listening", "--tcp", "--numeric", f"sport = :{PORT}")
    assert [line.split()[3] for line in listening.splitlines()] == [f"{watched['gfs1'].address}:{PORT}"]
