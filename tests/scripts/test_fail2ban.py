"""Bans on three machines that share a volume: which address is banned, on which nodes, how soon, and until when.

Each test has its own visitors' addresses, so that no test's hit counts in another. The tests' nginx takes a visitor's
address from a header of the machine itself, as the site's nginx takes it from Varnish.
"""

from __future__ import annotations

import contextlib
import json
import logging
import re
import socket
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from components.config.settings import Bans
from components.fail2ban.fail2ban import PORT, SHARED, texts
from tests.scripts.node import Node
from tests.scripts.params import NETWORK, ROOT

FIGURES = logging.getLogger("figures")
"""Shown by `pytest --log-cli-level=info`."""

BANS = f"{ROOT}/{SHARED}"
KNOWN = "/var/lib/ha-wordpress/bans"
OPERATOR = "198.51.100.7"
SAMPLES = Path(__file__).parents[1] / "fail2ban" / "hits.log"

BAN_LIMIT = 5.0
"""Seconds in which a ban reaches every node; a busy machine gets three times that here."""

NGINX = """
limit_req_zone $remote_addr zone=limited:1m rate=1r/m;
server {
    listen 8080 default_server;
    set_real_ip_from 127.0.0.1;
    real_ip_header X-Forwarded-For;
    real_ip_recursive on;
    include /etc/nginx/ha-wordpress.d/*.conf;
    location / { return 200; }
    location /missing { return 404; }
    location /limited { limit_req zone=limited; limit_req_status 429; root /var/empty; try_files $uri =404; }
    location /redirected { root /var/empty; try_files $uri /elsewhere; }
    location ~ /my-account { root /var/empty; try_files $uri /elsewhere; }
    location ~ (/nothing\\.php|/\\.env)$ { return 404; }
    location = /forbidden { return 403; }
}
"""

NGINX_USER = """
getent passwd nginx >/dev/null || useradd --system --no-create-home --shell /usr/sbin/nologin nginx
sed -i 's/^user .*/user nginx;/' /etc/nginx/nginx.conf
rm -f /etc/nginx/sites-enabled/default
cat >/etc/nginx/conf.d/test.conf
"""
"""As web.sh has it: nginx has a user of its own."""


def params(own: Node, nodes: Mapping[str, Node]) -> dict[str, str]:
    others = [node.address for node in nodes.values() if node is not own]
    return texts(others, NETWORK, "proxy", True, BANS, [NETWORK, OPERATOR], Bans())


@pytest.fixture(scope="module")
def banning(mounted: Mapping[str, Node]) -> Iterator[dict[str, Node]]:
    """gfs1 to gfs3 with an nginx on 8080, and bans."""
    for node in mounted.values():
        node.run("sh", "-c", NGINX_USER, stdin=NGINX)
        node.run("sh", "-c", "cat >>/etc/hosts", stdin="203.0.113.99 visitor.example.com\n")
    with ThreadPoolExecutor() as pool:
        list(pool.map(lambda node: node.step("fail2ban/fail2ban.sh", params(node, mounted)), mounted.values()))
    for node in mounted.values():
        node.run("systemctl", "restart", "nginx")
    yield dict(mounted)
    for node in mounted.values():
        node.run("rm", "/etc/nginx/conf.d/test.conf")


def ask(node: Node, visitor: str, times: int = 1, path: str = "/xmlrpc.php", *more: str) -> list[str]:
    """The status codes of a visitor's requests through a balancer, one after another."""
    return node.run(
        "curl", "--silent", "--globoff", "--path-as-is", "--max-time", "10", "--write-out", "%{http_code}\n",
        "--header", f"X-Forwarded-For: {visitor}", *more,
        *["--output", "/dev/null", f"http://127.0.0.1:8080{path}"] * times,
    ).split()  # fmt: skip


def flood(node: Node, visitor: str, times: int, path: str = "/xmlrpc.php") -> list[str]:
    return ask(node, visitor, times, path, "--request", "POST")


def refused(node: Node, visitor: str) -> bool:
    return ask(node, visitor, 1, "/") == ["429"]


def banned(node: Node, visitor: str) -> bool:
    """Whether nginx and the packet filter both refuse a visitor."""
    packets = [f"banned{6 if ':' in visitor else 4}", f"{{ {visitor} }}"]
    output = node.run("sh", "-c", 'nft get element inet ha-wordpress "$@" 2>&1 || true', "sh", *packets)
    return refused(node, visitor) and visitor in output


def within(nodes: list[Node], visitor: str, *, is_banned: bool = True, seconds: float = 3 * BAN_LIMIT) -> float:
    """Wait at most `seconds` until a visitor is banned on all nodes (or on none); returns the seconds that it took."""
    start = time.monotonic()
    while not all(banned(node, visitor) is is_banned for node in nodes):
        taken = time.monotonic() - start
        state = {node.name: banned(node, visitor) for node in nodes}
        assert taken < seconds, f"{visitor} after {taken:.1f} s: {state}"
        time.sleep(0.05)
    return time.monotonic() - start


def counted(node: Node, visitor: str, hits: int) -> None:
    """Wait until a node's fail2ban has read all of a visitor's hits; its log level must be INFO."""
    log = "/var/log/ha-wordpress/hits.log"
    node.eventually("sh", "-c", f"[ \"$(grep -c ' {visitor} ' {log})\" -ge {hits} ]", within=30)
    # fail2ban reads the log in order: when it has found the last line, it has found the ones before
    mark = f"203.0.113.{200 + int(node.name[-1])}"
    flood(node, mark, 1)
    node.eventually("grep", "-q", f"Found {mark} ", "/var/log/fail2ban.log", within=30)


def pids(node: Node) -> str:
    return node.run("systemctl", "show", "--property=MainPID", "fail2ban", "rsyslog", "nginx")


def test_jails_run_and_a_second_run_of_the_step_changes_nothing(banning: Mapping[str, Node]) -> None:
    node = banning["gfs1"]
    assert "File list:\t/var/log/ha-wordpress/hits.log" in node.run("fail2ban-client", "status", "wordpress")
    assert "Journal matches:\t_SYSTEMD_UNIT=ssh.service\n" in node.run("fail2ban-client", "status", "sshd")
    before = pids(node)
    node.again("fail2ban/fail2ban.sh", params(node, banning))
    assert pids(node) == before


def test_a_wrong_jail_is_refused_and_fail2ban_goes_on(banning: Mapping[str, Node]) -> None:
    node = banning["gfs1"]
    before, state = pids(node), node.state()
    wrong = params(node, banning) | {"JAIL": "[wordpress]\nenabled = true\nfilter = no-such-filter\n"}
    assert "no-such-filter" in node.refuses("fail2ban/fail2ban.sh", wrong)
    assert pids(node) == before
    assert node.state() == state


def test_a_killed_step_is_in_force_after_the_next(banning: Mapping[str, Node]) -> None:
    node = banning["gfs1"]
    one = params(node, banning)
    other = one | {
        "JAIL": one["JAIL"].replace("bantime = 43200", "bantime = 50000"),
        "NGINX_HITS": one["NGINX_HITS"] + "add_header X-Tested yes always;\n",
    }
    tested = "curl --silent --head http://127.0.0.1:8080/ | grep -q X-Tested"
    ban = "fail2ban-client get wordpress bantime | grep -qx"
    node.applies_after_kills(
        "fail2ban/fail2ban.sh", one, other, {"one": f"{ban} 43200 && ! {tested}", "other": f"{ban} 50000 && {tested}"}
    )
    node.step("fail2ban/fail2ban.sh", one)


def test_the_filter_finds_what_the_sample_says(banning: Mapping[str, Node]) -> None:
    node = banning["gfs1"]
    output = re.findall(r"# failJSON: (.*)\n(.*)", SAMPLES.read_text())
    expected = [[json.loads(about)["host"], line] for about, line in output if json.loads(about)["match"]]
    assert len(output) > 15
    assert len(expected) > 5
    node.run("sh", "-c", "cat >/tmp/hits.log", stdin="".join(f"{line}\n" for _, line in output))
    filter_ = "/etc/fail2ban/filter.d/ha-wordpress.conf"
    out = node.run("fail2ban-regex", "--usedns=no", "--out=<ip>\t<matches>", "/tmp/hits.log", filter_)
    assert [line.split("\t") for line in out.splitlines()] == expected


def test_hits_spread_over_the_nodes_ban_at_the_twentieth_everywhere(banning: Mapping[str, Node]) -> None:
    nodes = list(banning.values())
    visitor = "203.0.113.1"
    for node in nodes:
        # each hit, which fail2ban does not log by default
        node.run("fail2ban-client", "set", "loglevel", "INFO")
    for node, times in zip(nodes, (7, 6, 6), strict=True):
        assert flood(node, visitor, times) == ["200"] * times
    for node in nodes:
        counted(node, visitor, 19)
        assert not refused(node, visitor), "banned after 19 hits instead of 20"
    flood(nodes[1], visitor, 1)
    FIGURES.info(f"banned everywhere {within(nodes, visitor):.1f} s after the 20th hit")
    assert visitor in nodes[2].run("fail2ban-client", "status", "wordpress")
    facts = {fact for node in nodes for fact in node.run("ls", KNOWN).split() if f",{visitor}," in fact}
    (_, _, end, decided), *others = [fact.split(",") for fact in facts]
    assert not others, "more than one node has decided on the ban"
    assert int(decided) == (int(end) - Bans().ban_seconds) * 1_000_000


@pytest.mark.parametrize(
    ("visitor", "path"),
    [
        ("203.0.113.2", "//xmlrpc.php"),
        ("203.0.113.3", "/xmlrpc.php?x=1"),
        ("203.0.113.4", "/%78mlrpc.php"),
        ("203.0.113.5", "/a/../wp-login.php"),
        ("203.0.113.6", "/my-account/"),
        ("203.0.113.55", "//my-accoun%74"),
        ("2001:db8::7", "/xmlrpc.php"),
    ],
)
def test_every_spelling_of_a_path_counts(banning: Mapping[str, Node], visitor: str, path: str) -> None:
    flood(banning["gfs1"], visitor, 20, path)
    within([banning["gfs1"], banning["gfs3"]], visitor)


def test_a_third_party_is_not_banned_by_forged_text(banning: Mapping[str, Node]) -> None:
    """The forged text is in forwarded lists, paths, headers, and lines sent to the nodes' own port."""
    node, third = banning["gfs1"], "192.0.2.66"
    line = f"{time.time():.3f} {third} login POST /xmlrpc.php 200"
    ask(node, f"{third}, 203.0.113.9", 25, "/xmlrpc.php", "--request", "POST")
    ask(node, "203.0.113.11", 25, "/", "--user-agent", line, "--referer", line, "--user", f"{third}:x")
    ask(node, "203.0.113.12", 25, f"/%0A{line.replace(' ', '%20')}")
    ask(node, "203.0.113.13", 25, "/missing.png")
    ask(node, "visitor.example.com", 25, "/xmlrpc.php", "--request", "POST")
    # the packet filter drops a connection from outside the nodes' network, and without it rsyslog closes the connection
    port = str(node.machine.endpoint.public), PORT
    with pytest.raises(TimeoutError):
        socket.create_connection(port, timeout=2)
    node.run("nft", "delete", "table", "inet", "ha-wordpress-ports")
    with socket.create_connection(port, timeout=5) as outside, contextlib.suppress(OSError):
        outside.sendall(f"<134>hits: {line}\n".encode() * 25)
    node.run("systemctl", "reload", "ha-wordpress-ports")
    within([node], "203.0.113.9")
    for client in ("203.0.113.11", "203.0.113.12", "203.0.113.13", "203.0.113.99"):
        assert not banned(node, client)
    log = node.run("cat", "/var/log/ha-wordpress/hits.log")
    assert not re.search(rf"^\S+ {third} ", log, re.MULTILINE)
    # 127.0.0.1 is the visitor's address where the header holds none
    assert not re.search("^127", node.run("ls", "/run/ha-wordpress/banned"), re.MULTILINE)


def test_the_packet_filter_stops_a_client_that_connects_to_the_node_itself(
    banning: Mapping[str, Node], spare: Node
) -> None:
    node = banning["gfs2"]
    node.run("fail2ban-client", "set", "wordpress", "delignoreip", NETWORK)
    # the test's client is in the machines' network, which is never banned
    for each in banning.values():
        each.run("sed", "-i", f"s|{NETWORK}|192.0.2.0/24|", "/usr/local/lib/ha-wordpress/bans-live")
    reach = ["curl", "--silent", "--max-time", "1", "--request", "POST", f"http://{node.address}:8080/xmlrpc.php"]
    for _ in range(20):
        spare.run(*reach)
    within(list(banning.values()), spare.address)
    assert spare.run("sh", "-c", '"$@" >/dev/null || echo $?', "sh", *reach) == "28\n"
    node.run("fail2ban-client", "set", "wordpress", "addignoreip", NETWORK)
    node.run("unban", spare.address)
    spare.eventually(*reach, within=3 * BAN_LIMIT)
    for each in banning.values():
        each.run("sed", "-i", f"s|192.0.2.0/24|{NETWORK}|", "/usr/local/lib/ha-wordpress/bans-live")


def test_unban_works_from_any_node_and_a_new_flood_bans_again(banning: Mapping[str, Node]) -> None:
    nodes, visitor = list(banning.values()), "203.0.113.24"
    flood(nodes[0], visitor, 20)
    within(nodes, visitor)
    assert "not banned any more" in banning["gfs3"].run("unban", visitor)
    assert not banned(banning["gfs3"], visitor)
    FIGURES.info(f"unbanned everywhere after {within(nodes, visitor, is_banned=False):.1f} s")
    for node in nodes:
        node.eventually("sh", "-c", f"! fail2ban-client status wordpress | grep -wqF '{visitor}'", within=3 * BAN_LIMIT)
    flood(banning["gfs1"], visitor, 20)
    within(nodes, visitor)
    output = banning["gfs1"].run("sh", "-c", "unban no-address 2>&1; unban 2>&1; true")
    assert "no-address is not an address" in output
    assert "usage: unban ADDRESS" in output


def test_addresses_that_were_unbanned_are_banned_again_at_the_same_time(banning: Mapping[str, Node]) -> None:
    nodes, visitors = list(banning.values()), [f"203.0.113.{number}" for number in range(30, 42)]

    def flooded() -> None:
        with ThreadPoolExecutor() as pool:
            list(pool.map(flood, nodes * 4, visitors, [20] * len(visitors)))
        for visitor in visitors:
            within(nodes, visitor)

    flooded()
    for visitor in visitors:
        nodes[2].run("unban", visitor)
    for visitor in visitors:
        within(nodes, visitor, is_banned=False)
    flooded()
    # the next read of the volume ends none of these bans
    time.sleep(3)
    assert [visitor for visitor in visitors if not banned(nodes[0], visitor)] == []


def test_unban_by_fail2bans_own_client_counts_everywhere(banning: Mapping[str, Node]) -> None:
    nodes, visitor = list(banning.values()), "203.0.113.25"
    flood(nodes[2], visitor, 20)
    within(nodes, visitor)
    banning["gfs1"].run("fail2ban-client", "unban", visitor)
    within(nodes, visitor, is_banned=False)


def test_a_repeat_offender_is_banned_for_longer_on_every_node_alike(banning: Mapping[str, Node]) -> None:
    """Fail2ban works out the longer time after the ban and shares it within ten seconds."""
    nodes, visitor = list(banning.values()), "203.0.113.23"

    def left(node: Node) -> int:
        output = node.run("nft", "get", "element", "inet", "ha-wordpress", "banned4", f"{{ {visitor} }}")
        found = re.search(r"expires (\d+)s", output)
        return int(found[1]) if found else 0

    for node in nodes:
        node.run("fail2ban-client", "set", "wordpress", "bantime", "14")
    flood(nodes[0], visitor, 20)
    within(nodes, visitor)
    within(nodes, visitor, is_banned=False, seconds=60)
    # fail2ban ends a ban by its own clock, up to a second later, and counts no hits until then
    for node in nodes:
        node.eventually("sh", "-c", f"! fail2ban-client get wordpress banip | grep -qF {visitor}")
    flood(nodes[1], visitor, 20)
    within(nodes, visitor)
    end = time.monotonic() + 3 * 10
    while min(left(node) for node in nodes) < 15:
        assert time.monotonic() < end, {node.name: left(node) for node in nodes}
        time.sleep(0.2)
    for node in nodes:
        node.run("fail2ban-client", "set", "wordpress", "bantime", str(Bans().ban_seconds))


def test_a_ban_ends_everywhere_together(banning: Mapping[str, Node]) -> None:
    nodes, visitor = list(banning.values()), "203.0.113.14"
    banning["gfs1"].run("sh", "-c", f'/usr/local/lib/ha-wordpress/ban {visitor} "$(date +%s)" 8')
    within(nodes, visitor)
    ended: dict[str, float] = {}
    end = time.monotonic() + 8 + 3 * BAN_LIMIT
    while len(ended) < 3 and time.monotonic() < end:
        for node in nodes:
            if node.name not in ended and not refused(node, visitor):
                ended[node.name] = time.monotonic()
    assert len(ended) == 3
    assert max(ended.values()) - min(ended.values()) < 3 * 3
    banning["gfs1"].eventually("sh", "-c", f"! ls {BANS} | grep -q ,{visitor},", within=10)


@pytest.mark.parametrize("service", ["fail2ban", "rsyslog"])
def test_a_killed_service_restarts_by_itself_however_often(banning: Mapping[str, Node], service: str) -> None:
    node = banning["gfs1"]
    node.survives_kills(service)
    visitor = {"fail2ban": "203.0.113.71", "rsyslog": "203.0.113.72"}[service]
    # each worker of nginx loses one hit to the old socket of rsyslog
    workers = int(node.run("pgrep", "--count", "--full", "nginx: worker"))
    flood(node, visitor, 20 + workers)
    within([node], visitor)
    # for the tests that count hits: other workers may have the old socket still
    node.run("systemctl", "restart", "nginx")


def test_fail2ban_killed_comes_back_and_bans_hold_meanwhile(banning: Mapping[str, Node]) -> None:
    nodes, node, before, visitor = list(banning.values()), banning["gfs2"], "203.0.113.26", "203.0.113.15"
    flood(node, before, 20)
    within(nodes, before)
    node.run("systemctl", "kill", "--signal=KILL", "fail2ban")
    assert banned(node, before)
    flood(node, visitor, 20)
    within(nodes, visitor)
    node.eventually("fail2ban-client", "status", "wordpress", within=45)
    assert banned(node, before)


def test_stopping_fail2ban_ends_no_ban(banning: Mapping[str, Node]) -> None:
    nodes, node, visitor = list(banning.values()), banning["gfs2"], "203.0.113.27"
    flood(node, visitor, 20)
    within(nodes, visitor)
    node.run("systemctl", "restart", "fail2ban")
    node.eventually("fail2ban-client", "status", "wordpress", within=45)
    assert all(banned(each, visitor) for each in nodes)


def test_hits_are_sent_again_after_a_restart_of_rsyslog(banning: Mapping[str, Node]) -> None:
    node, visitor = banning["gfs1"], "203.0.113.16"
    workers = int(node.run("pgrep", "--count", "--full", "nginx: worker"))
    # every worker has the old socket open
    flood(node, "203.0.113.56", 19)
    node.run("systemctl", "restart", "rsyslog")
    flood(node, visitor, 20 + workers)
    within(list(banning.values()), visitor)
    # for the tests that count hits: the other workers have the old socket still
    node.run("systemctl", "restart", "nginx")


def test_a_flushed_packet_filter_is_filled_again(banning: Mapping[str, Node]) -> None:
    node, visitor = banning["gfs1"], "203.0.113.28"
    flood(node, visitor, 20)
    within([node], visitor)
    node.run("nft", "delete", "table", "inet", "ha-wordpress")
    node.eventually("nft", "get", "element", "inet", "ha-wordpress", "banned4", f"{{ {visitor} }}", within=3 * 60)


def test_a_node_cut_off_bans_by_itself_and_catches_up(banning: Mapping[str, Node]) -> None:
    away, others = banning["gfs3"], [banning["gfs1"], banning["gfs2"]]
    unbanned = "203.0.113.29"
    flood(others[0], unbanned, 20)
    within([away, *others], unbanned)
    machine = away.machine
    machine.network.cut(machine.endpoint.port("ens5"))
    flood(others[0], "203.0.113.17", 20)
    flood(away, "203.0.113.18", 20)
    others[0].run("unban", unbanned)
    within(others, "203.0.113.17")
    within([away], "203.0.113.18")
    assert not refused(away, "203.0.113.17")
    assert refused(away, unbanned)
    assert not refused(others[0], "203.0.113.18")
    machine.network.restore(machine.endpoint.port("ens5"))
    start = time.monotonic()
    away.eventually("timeout", "3", "stat", BANS, within=60)
    mounted = time.monotonic() - start
    within([away], "203.0.113.17", seconds=60)
    within(others, "203.0.113.18", seconds=60)
    within([away], unbanned, is_banned=False, seconds=60)
    FIGURES.info(
        f"caught up {time.monotonic() - start:.1f} s after the partition; the volume was back after {mounted:.1f} s"
    )


def test_a_node_restarted_in_the_middle_comes_back_with_the_bans(banning: Mapping[str, Node]) -> None:
    away, others, before = banning["gfs2"], [banning["gfs1"], banning["gfs3"]], "203.0.113.50"
    flood(others[0], before, 20)
    within([away, *others], before)
    flood(away, "203.0.113.19", 10)
    for node in others:
        node.eventually("sh", "-c", "[ $(grep -c ' 203.0.113.19 ' /var/log/ha-wordpress/hits.log) = 10 ]")
    away.machine.power_off()
    flood(others[0], "203.0.113.19", 10)
    within(others, "203.0.113.19")
    away.machine.power_on()
    away.eventually("systemctl", "is-active", "--quiet", "ssh", within=120)
    away.eventually("systemctl", "is-active", "--quiet", "nginx", within=60)
    assert banned(away, before), "a node lost a ban by its restart"
    away.eventually("mountpoint", "--quiet", ROOT, within=60)
    within([away], "203.0.113.19", seconds=30)
    away.eventually("fail2ban-client", "status", "wordpress", within=45)


def test_bans_go_on_where_the_volume_is_away(banning: Mapping[str, Node]) -> None:
    node, visitor = banning["gfs1"], "203.0.113.21"
    unit = node.run("systemd-escape", "--path", "--template=gluster-mount@.service", ROOT).strip()
    node.run("systemctl", "stop", unit)
    flood(node, visitor, 20)
    within(list(banning.values()), visitor)
    assert "The volume cannot be written" in node.run("unban", visitor)
    node.run("systemctl", "start", unit)
    within(list(banning.values()), visitor, is_banned=False, seconds=90)


HIT_AS_WWW_DATA = """
import socket, sys, time
hit = f"<190>Nov 25 10:00:00 hits: {time.time():.3f} {sys.argv[1]} login POST /xmlrpc.php 200".encode()
old = f"<190>Nov 25 10:00:00 x hits: {time.time():.3f} {sys.argv[1]} POST /xmlrpc.php 200".encode()
ssh = f"<38>sshd[4242]: Failed password for root from {sys.argv[1]} port 4242 ssh2".encode()
ways = [
    (socket.AF_INET, socket.SOCK_DGRAM, ("127.0.0.1", 5514), [hit, old]),
    (socket.AF_INET, socket.SOCK_STREAM, ("127.0.0.1", 5514), [hit + b"\\n", old + b"\\n"]),
    (socket.AF_UNIX, socket.SOCK_DGRAM, "/run/ha-wordpress/hits/nginx", [hit]),
    (socket.AF_UNIX, socket.SOCK_DGRAM, "/dev/log", [hit, old, ssh]),
]
# journald stores the name of the process, by which fail2ban finds the lines of sshd
open("/proc/self/comm", "w").write("sshd")
for family, kind, address, lines in ways:
    try:
        with socket.socket(family, kind) as way:
            way.connect(address)
            for line in lines * 25:
                way.send(line)
                time.sleep(0.01)
    except OSError as error:
        print(address, error)
"""
"""Sends hits of an address in every way that PHP could try; prints the ways that are closed."""


def test_php_cannot_deliver_a_hit(banning: Mapping[str, Node]) -> None:
    node, victim, visitor = banning["gfs1"], "203.0.113.57", "203.0.113.58"
    command = www_data("python3", "-c", HIT_AS_WWW_DATA, victim)
    FIGURES.info(node.run(*command))
    # these hits are counted after the ones above
    flood(node, visitor, 20)
    within(list(banning.values()), visitor)
    for each in banning.values():
        assert not banned(each, victim)
        assert victim not in each.run("fail2ban-client", "banned")
        assert victim not in each.run("cat", "/var/log/ha-wordpress/hits.log")
    node.run("python3", "-c", HIT_AS_WWW_DATA, "203.0.113.59")
    within([node], "203.0.113.59")


def test_failed_ssh_logins_are_where_the_jail_looks(banning: Mapping[str, Node]) -> None:
    node = banning["gfs1"]
    login = "ssh -o BatchMode=yes -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null"
    node.run("sh", "-c", f"{login} no-such-user@127.0.0.1 true 2>/dev/null || true")
    node.eventually("sh", "-c", "journalctl _SYSTEMD_UNIT=ssh.service | grep -q 'Invalid user no-such-user from'")


def kinds(node: Node, visitor: str) -> list[str]:
    """The kinds of a visitor's hits on a node."""
    lines = node.run("cat", "/var/log/ha-wordpress/hits.log").splitlines()
    return [line.split(" ")[2] for line in lines if line.split(" ")[1] == visitor]


def test_nginx_tells_the_kinds_of_hits_apart(banning: Mapping[str, Node]) -> None:
    node, visitor = banning["gfs2"], "203.0.113.60"
    for method, path in (
        ("POST", "/wp-login.php"),
        ("POST", "/blog/XMLRPC.php/x"),
        ("POST", "/my-account?lang=en"),
        ("GET", "/blog/nothing.php"),
        ("GET", "/.env"),
        ("HEAD", "/missing"),
        ("GET", "/forbidden"),
        ("GET", "/missing%20x%20login"),
        # no hits
        ("GET", "/wp-login.php"),
        ("POST", "/wp-comments-post.php"),
        ("POST", "/my-xmlrpc.php"),
        ("POST", "/xmlrpcaphp"),
        ("POST", "/my-account/edit-address/"),
        ("GET", "/missing.png"),
        ("GET", "/x?POST%20/wp-login.php"),
        # the last one
        ("POST", "/redirected/../xmlrpc.php"),
    ):
        ask(node, visitor, 1, path, "--head" if method == "HEAD" else "--request", *[method] * (method != "HEAD"))
    expected = ["login"] * 3 + ["scan"] * 2 + ["missing"] * 3 + ["login"]
    node.eventually("sh", "-c", f"[ $(grep -c ' {visitor} ' /var/log/ha-wordpress/hits.log) -ge {len(expected)} ]")
    assert kinds(node, visitor) == expected


def test_a_page_with_missing_images_bans_no_visitor(banning: Mapping[str, Node]) -> None:
    node, visitor, mark = banning["gfs1"], "203.0.113.61", "203.0.113.62"
    ask(node, visitor, 100, "/missing")
    flood(node, mark, 20)
    within(list(banning.values()), mark)
    assert not any(banned(each, visitor) for each in banning.values())


@pytest.mark.parametrize(
    ("visitor", "path", "times"), [("203.0.113.63", "/.env", 20), ("203.0.113.64", "/missing", 200)]
)
def test_a_scan_is_banned_for_ten_minutes_only(
    banning: Mapping[str, Node], visitor: str, path: str, times: int
) -> None:
    nodes = list(banning.values())
    for _ in range(2):
        ask(nodes[0], visitor, times, path)
        within(nodes, visitor)
        output = nodes[1].run("nft", "get", "element", "inet", "ha-wordpress", "banned4", f"{{ {visitor} }}")
        left = re.search(r"expires (\d+)m", output)
        assert left, output
        assert int(left[1]) < 10
        nodes[1].run("unban", visitor)
        within(nodes, visitor, is_banned=False)
        for node in nodes:
            node.eventually("sh", "-c", f"! fail2ban-client banned | grep -qF {visitor}", within=3 * BAN_LIMIT)


def test_a_flood_past_nginxs_limits_is_sampled_and_banned(banning: Mapping[str, Node]) -> None:
    nodes, visitor, careful = list(banning.values()), "203.0.113.65", "203.0.113.66"
    assert "429" in ask(nodes[0], careful, 20, "/limited")
    answers: list[str] = []
    end = time.monotonic() + 60
    while not refused(nodes[0], visitor):
        assert time.monotonic() < end
        answers += ask(nodes[0], visitor, 50, "/limited")
    within(nodes, visitor)
    FIGURES.info("banned everywhere after %s requests, of which %s were logged", len(answers), kinds(nodes[0], visitor))
    assert len(kinds(nodes[0], visitor)) < len(answers) / 3
    # a banned visitor's requests are not logged
    logged = len(kinds(nodes[0], visitor))
    flood(nodes[0], visitor, 50)
    flood(nodes[0], "203.0.113.67", 1)
    nodes[0].eventually("grep", "-q", " 203.0.113.67 ", "/var/log/ha-wordpress/hits.log")
    assert len(kinds(nodes[0], visitor)) == logged
    assert not any(banned(node, careful) for node in nodes)


FILL = """
import socket
with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as hits:
    hits.connect("/run/ha-wordpress/hits/nginx")
    for n in range(10_000):
        hits.send(b"<190>Nov 25 10:00:00 hits: 1.000 203.0.113.68 - GET /" + b"x" * 5000 + b" 200")
"""
"""Sends 50 MB of hits, as root."""


def test_the_hit_log_has_a_limit_of_size_and_hits_count_after_it(banning: Mapping[str, Node]) -> None:
    node, visitor = banning["gfs3"], "203.0.113.69"
    node.run("python3", "-c", FILL)
    flood(node, visitor, 20)
    within(list(banning.values()), visitor, seconds=60)
    for each in banning.values():
        sizes = each.run("find", "/var/log/ha-wordpress", "-type", "f", "-printf", "%s %m %g\n").splitlines()
        assert len(sizes) == 2
        assert all(int(size.split()[0]) < 25_000_000 and size.endswith("640 adm") for size in sizes), sizes


AWAY_AND_BACK = """
cd "$(dirname "$1")"
mkdir -m 700 planted
touch "planted/$2"
while [ ! -e /tmp/stop-swapping ]; do
    mv -T bans real && mv -T planted bans
    mv -T bans planted && mv -T real bans
done
rm -r planted
"""
"""Replaces the shared directory by one with a fact, and puts it back, until /tmp/stop-swapping exists."""


def fact(visitor: str, seconds: float = 600) -> str:
    """A ban that a node could have decided now."""
    return f"banned,{visitor},{int(time.time() + seconds)},{time.time_ns() // 1000}"


def www_data(*command: str) -> list[str]:
    """The command, as PHP's user."""
    return ["setpriv", "--reuid", "www-data", "--regid", "www-data", "--clear-groups", *command]


def test_a_shared_directory_that_others_may_write_is_ignored(banning: Mapping[str, Node]) -> None:
    node, visitor = banning["gfs1"], "203.0.113.22"
    node.run("chmod", "777", BANS)
    for each in banning.values():
        each.eventually("sh", "-c", "journalctl --unit=bans-share | grep -q 'is not root.s alone'", within=30)
    node.run("touch", f"{BANS}/{fact(visitor)}")
    for each in banning.values():
        each.run("systemctl", "start", "bans-share")
        each.run("systemctl", "start", "bans-share")
        assert not banned(each, visitor)
        assert each.run("sh", "-c", "journalctl --unit=bans-share | grep -c 'is not root.s alone'") == "1\n"
    node.run("sh", "-c", f"rm {BANS}/banned,{visitor},*; chmod 700 {BANS}")


@pytest.mark.parametrize("planted", ["ln -s /root/elsewhere bans", "touch bans"])
def test_a_link_or_a_file_in_place_of_the_shared_directory_is_ignored(
    banning: Mapping[str, Node], planted: str
) -> None:
    node, visitor = banning["gfs1"], "203.0.113.51"
    node.run("sh", "-c", f"mkdir -p -m 700 /root/elsewhere && touch /root/elsewhere/{fact(visitor)}")
    node.run("sh", "-c", f"cd {ROOT}/.ha-wordpress && mv bans real && {planted}")
    node.eventually("grep", "-q", "foreign$", "/run/ha-wordpress/shared", within=30)
    assert not banned(node, visitor)
    assert f"banned,{visitor}" in node.run("ls", "/root/elsewhere")
    node.run("sh", "-c", f"cd {ROOT}/.ha-wordpress && rm bans && mv real bans && rm -r /root/elsewhere")
    node.eventually("sh", "-c", "! grep -q foreign$ /run/ha-wordpress/shared", within=30)


def test_php_cannot_replace_the_shared_directory_while_it_is_read(banning: Mapping[str, Node]) -> None:
    node, visitor = banning["gfs1"], "203.0.113.52"
    node.run("chown", "www-data:", f"{ROOT}/.ha-wordpress")
    node.run("rm", "-f", "/tmp/stop-swapping")
    swap = www_data("bash", "-c", AWAY_AND_BACK, "swap", BANS, fact(visitor))
    with ThreadPoolExecutor() as pool:
        swapping = pool.submit(node.run, "sh", "-c", '"$@" 2>/dev/null', "sh", *swap)
        # each run reads both directories
        read = "rm -f /run/ha-wordpress/shared; /usr/local/lib/ha-wordpress/bans-share || true"
        try:
            end = time.monotonic() + 60
            while time.monotonic() < end:
                node.run("sh", "-c", read)
                assert visitor not in node.run("ls", KNOWN)
        finally:
            node.run("touch", "/tmp/stop-swapping")
            swapping.result()
    assert not banned(node, visitor)


def test_a_wrong_fact_stops_no_ban_and_bans_nobody(banning: Mapping[str, Node]) -> None:
    """A fact that no node records, or about an address that is never banned."""
    node, visitor = banning["gfs1"], "203.0.113.53"
    # addresses of no machine here, as a ban of one would cut it off
    never = ["10.20.250.250", "127.0.0.9", OPERATOR]
    wrong = [fact(text) for text in ("....", "1.2.3", "256.1.1.1", ":::", "1:2", *never)]
    endless = f"banned,203.0.113.54,9999999999,{time.time_ns() // 1000}"
    node.run("sh", "-c", f"cd {KNOWN} && xargs touch", stdin="\n".join([*wrong, endless, fact(visitor, 100)]))
    within(list(banning.values()), visitor)
    for each in banning.values():
        refused = each.run("ls", "/run/ha-wordpress/banned").split()
        packets = each.run("nft", "list", "table", "inet", "ha-wordpress")
        for address in (*never, "203.0.113.54"):
            assert address not in refused
            assert address not in packets
    # an unban of such an address may stay: it bans nobody
    gone = "grep -E '^banned,(256[.]|10[.]20[.]|127[.]|:::)|,9999999999,'"
    node.eventually("sh", "-c", f"! ls {KNOWN} {BANS} | {gone}", within=30)


def test_five_hundred_bans_spread_and_cost_next_to_nothing_at_rest(banning: Mapping[str, Node]) -> None:
    node = banning["gfs1"]
    # they end by themselves soon after the test
    facts = [
        f"banned,198.18.{n // 250}.{n % 250 + 1},{int(time.time()) + 100},{time.time_ns() // 1000}" for n in range(500)
    ]
    node.run("sh", "-c", "cd /var/lib/ha-wordpress/bans && xargs touch", stdin="\n".join(facts))
    taken = max(within(list(banning.values()), visitor, seconds=45) for visitor in ("198.18.0.1", "198.18.1.250"))
    FIGURES.info("500 bans of one node were on every node after %.1f s", taken)
    before = cpu(node)
    time.sleep(20)
    share = (cpu(node) - before) / 20
    FIGURES.info("with 500 bans at rest, the timer and all that it starts took %.2f %% of a core", share * 100)
    assert share < 0.04


def test_ten_thousand_bans_are_read_and_applied_soon(banning: Mapping[str, Node]) -> None:
    node = banning["gfs3"]
    end, decided = int(time.time()) + 300, time.time_ns() // 1000
    facts = [f"banned,198.19.{n // 250}.{n % 250 + 1},{end},{decided + n}" for n in range(10_050)]
    node.run("systemctl", "stop", "bans.timer")
    node.run("sh", "-c", f"cd {KNOWN} && xargs touch", stdin="\n".join(facts))
    before, start = cpu(node), time.monotonic()
    node.run("systemctl", "start", "bans-apply")
    FIGURES.info("10,000 bans applied in %.1f s, %.1f s of a core", time.monotonic() - start, cpu(node) - before)
    assert banned(node, "198.19.40.50")
    assert not banned(node, "198.19.0.1"), "older than the newest 10,000"
    node.run("find", KNOWN, "-name", "banned,198.19.*", "-delete")
    node.run("systemctl", "start", "bans-apply", "bans.timer")
    within([node], "198.19.40.50", is_banned=False)


def cpu(node: Node) -> float:
    """Seconds of processor time that a machine's first process and all its ended descendants have used."""
    fields = node.run("cat", "/proc/1/stat").rsplit(")", 1)[1].split()
    return sum(map(int, fields[11:15])) / 100
