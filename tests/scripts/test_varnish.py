"""varnish/: its rules by varnishtest; its step and the answers to visitors on nodes with WordPress."""

from __future__ import annotations

import re
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from components.cloud.aws.database import NAME
from components.varnish.varnish import PORT as VARNISH_PORT
from components.web.web import PORT_BEHIND_CACHE
from tests.scripts import params
from tests.scripts.conftest import PASSWORD
from tests.scripts.node import Node
from tests.scripts.test_wordpress import sql

CASES = sorted((Path(__file__).parent / "varnish").glob("*.vtc"))
SCRATCH = "/srv/varnishtest"
PROBE = r"""<?php
header('Cache-Control: no-store');
foreach (['REMOTE_ADDR', 'HTTPS', 'SERVER_PORT', 'HTTP_X_FORWARDED_FOR', 'HTTP_X_FORWARDED_PROTO', 'HTTP_X_REAL_IP',
    'HTTP_FORWARDED'] as $name) {
    echo $name, '=', $_SERVER[$name] ?? '', "\n";
}
"""
IDLE = """
import http.client, sys, time
connections = [http.client.HTTPConnection(sys.argv[1], port, timeout=10) for port in sys.argv[2:]]
for idle in 0, 61:
    time.sleep(idle)
    for connection in connections:
        connection.request("GET", "/wp-includes/css/buttons.css")
        connection.getresponse().read()
        # a closed connection is an error from now on
        connection.auto_open = 0
"""
"""Asks each port of a machine twice on one connection, 61 s apart."""
HEALTH = "curl --silent --output /dev/null --write-out '%{http_code}' http://127.0.0.1/healthz"


@pytest.fixture(scope="module")
def addresses(mounted: Mapping[str, Node]) -> dict[str, str]:
    return {name: node.address for name, node in mounted.items()}


@pytest.fixture(scope="module")
def site(
    mounted: Mapping[str, Node], addresses: Mapping[str, str], databases: Mapping[str, str]
) -> Iterator[dict[str, Node]]:
    """The nodes with WordPress behind Varnish; both are removed afterwards."""

    def cached(node: Node) -> None:
        node.step("web/web.sh", params.web(behind_cache=node.address))
        # Varnish does not run yet, and loads the rules when it starts
        node.step("varnish/vcl.sh", params.vcl(node.name, addresses))
        node.step("varnish/varnish.sh", params.varnish())

    with ThreadPoolExecutor() as pool:
        list(pool.map(cached, mounted.values()))
    first = mounted["gfs1"]
    first.step("wordpress/code.sh", params.code())
    settings = params.site(databases[NAME])
    first.step("wordpress/site.sh", settings, params.site_secrets(PASSWORD))
    first.again("wordpress/site.sh", settings, params.site_secrets(PASSWORD))
    # the first view of a theme stores its styles as a post, which removes all pages from the caches
    page(first, "/")
    deliver(first, 0)
    yield dict(mounted)
    for node in mounted.values():
        node.run("systemctl", "disable", "--quiet", "--now", "varnish", "varnishncsa")
        node.step("web/web.sh", params.web())
    first.run("find", params.ROOT, "-mindepth", "1", "-delete")
    sql(first, databases[NAME], f"DROP DATABASE {NAME}; CREATE DATABASE {NAME}")


@pytest.fixture
def stopped(site: Mapping[str, Node]) -> Iterator[Callable[[Node, str], None]]:
    """A function that stops a node's service until the test's end."""
    done: list[tuple[Node, str]] = []

    def stop(node: Node, service: str) -> None:
        done.append((node, service))
        node.run("systemctl", "stop", service)

    yield stop
    for node, service in done:
        node.run("systemctl", "start", service)
    for node in site.values():
        node.eventually("sh", "-c", "! varnishadm backend.list | grep sick")


@pytest.fixture
def edited(site: Mapping[str, Node]) -> Iterator[Mapping[str, Node]]:
    """The site for a test that edits it; post, comments and title are set back."""
    yield site
    php(
        site["gfs1"],
        "foreach (get_comments(['user_id' => 1]) as $one) wp_delete_comment($one, true);"
        "foreach (get_comments(['status' => 'hold']) as $one) wp_delete_comment($one, true);"
        "wp_update_post(['ID' => 1, 'post_title' => 'Hello world!']);",
    )
    deliver(site["gfs1"], 0)


def php(node: Node, code: str) -> str:
    """The output of a line of PHP that runs inside WordPress, as wordpress-cron.timer runs it."""
    whole = f"require '{params.ROOT}/wp-load.php'; {code}"
    return node.run("setpriv", "--reuid=www-data", "--clear-groups", "php", "-r", whole)


def cron(node: Node) -> None:
    """Run the command that wordpress-cron.timer runs each minute."""
    node.run("setpriv", "--reuid=www-data", "--clear-groups", "php", f"{params.ROOT}/wp-cron.php")


def undelivered(node: Node) -> int:
    """The number of nodes that have not received an edit yet."""
    rows = "SELECT COUNT(*) FROM $wpdb->options WHERE option_name LIKE 'ha_wordpress_purge_%'"
    return int(php(node, f'global $wpdb; echo $wpdb->get_var("{rows}");'))


def receivers(node: Node) -> list[str]:
    """The addresses of the caches that receive an edit."""
    names = r"array_keys(HaWordPress\Purge\options('ha_wordpress_cache_'))"
    return sorted(php(node, f"echo str_replace('ha_wordpress_cache_', '', implode(' ', {names}));").split())


def deliver(node: Node, left: int) -> None:
    """Run the timer's command until at most `left` nodes have not received an edit."""
    end = time.monotonic() + 30
    while undelivered(node) > left:
        assert time.monotonic() < end
        cron(node)


def page(node: Node, path: str, *options: str) -> str:
    """A node's answer to a visitor of the site: head and body."""
    words = ["curl", "--silent", "--include", "--max-time", "30", *options, "--header", "Host: www.example.com"]
    return subprocess.run(
        [*words, f"http://{node.machine.endpoint.public}{path}"], check=True, capture_output=True, text=True
    ).stdout


def cached(node: Node, path: str) -> str:
    """A page from a node's cache; it is put there first."""
    page(node, path)
    shown = page(node, path)
    assert "X-Cache: hit" in shown, shown.partition("\n\n")[0]
    return shown


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.stem)
def test_rules(nodes: Mapping[str, Node], case: Path) -> None:
    # in its own network namespace, where nodes, balancer and visitor are addresses of the loopback interface;
    # without health probes: varnishtest's servers would take one for a visitor's request
    text = params.vcl("gfs1", {"gfs1": "10.20.1.4", "gfs2": "10.20.2.4"})["NODES"]
    text = re.sub(r"probe health \{.*?\n\}\n", "", text, flags=re.DOTALL).replace(" .probe = health;", "")
    files = {
        "site.vcl": params.text("varnish/site.vcl"),
        "bans.vcl": params.text("varnish/bans.vcl"),
        "nodes.vcl": text,
        "case.vtc": case.read_text(),
    }
    node = nodes["gfs1"]
    node.run("mkdir", "-p", SCRATCH)
    for name, content in files.items():
        node.run("sh", "-c", f"cat >{SCRATCH}/{name}", stdin=content)
    node.run("unshare", "--net", "sh", "-c", f"""
        ip link set lo up
        for address in 203.0.113.1 10.20.1.4 10.20.2.4 10.20.9.9; do ip address add $address/32 dev lo; done
        varnishtest -Dsite={SCRATCH}/site.vcl -Ddirectory={SCRATCH} {SCRATCH}/case.vtc
    """)  # fmt: skip


def test_varnish_serves_and_is_made_once(site: Mapping[str, Node], addresses: Mapping[str, str]) -> None:
    node = site["gfs1"]
    node.again("varnish/vcl.sh", params.vcl(node.name, addresses))
    node.again("varnish/varnish.sh", params.varnish())
    node.again("web/web.sh", params.web(behind_cache=node.address))
    assert "<title>Hello world! &#8211; " in cached(node, "/hello-world/")
    assert "X-Cache: pass" in page(node, "/hello-world/", "--cookie", "wordpress_logged_in_0=x")
    # nginx listens at no public address, so visitors cannot pass Varnish by, even without a firewall
    listening = node.run("ss", "--no-header", "--tcp", "--listening", "--numeric", f"sport = :{PORT_BEHIND_CACHE}")
    assert {line.split()[3] for line in listening.splitlines()} == {
        f"127.0.0.1:{PORT_BEHIND_CACHE}", f"{node.address}:{PORT_BEHIND_CACHE}",
    }  # fmt: skip


@pytest.mark.parametrize("service", ["varnish", "varnishncsa"])
def test_a_killed_service_restarts_by_itself_however_often(site: Mapping[str, Node], service: str) -> None:
    node = site["gfs1"]
    node.survives_kills(service)
    # varnishncsa finds Varnish again
    asked = "curl --silent --output /dev/null http://127.0.0.1/after-the-kill"
    node.eventually("sh", "-c", f"{asked}; grep -q after-the-kill /var/log/varnish/varnishncsa.log", within=15)


def test_nginx_answers_while_a_killed_varnish_restarts(site: Mapping[str, Node], spare: Node) -> None:
    node = site["gfs1"]
    # a start that takes longer shows each request of the time without Varnish
    drop_in = "/run/systemd/system/varnish.service.d/slow.conf"
    redirect = "nft list chain ip ha-wordpress-uncached prerouting"
    node.run("tee", f"{params.ROOT}/slow.php", stdin="<?php sleep(6); echo 'slow';")
    node.run("mkdir", "-p", "/run/systemd/system/varnish.service.d")
    node.run("sh", "-c", f"printf '[Service]\\nExecStartPre=/bin/sleep 2\\n' >{drop_in}; systemctl daemon-reload")
    try:
        node.run("systemctl", "kill", "--kill-whom=main", "--signal=KILL", "varnish")
        node.eventually("sh", "-c", f"{redirect} | grep redirect", within=5)
        with ThreadPoolExecutor() as pool:
            slow = pool.submit(spare.run, "curl", "--silent", "--max-time", "15", f"http://{node.address}/slow.php")
            answer = spare.run(
                "curl", "--silent", "--include", "--max-time", "5", f"http://{node.address}/hello-world/"
            )
            assert answer.startswith("HTTP/1.1 200")
            assert "X-Cache:" not in answer
            # no rule is left, and Varnish has its visitors back
            node.eventually("sh", "-c", f"! {redirect} | grep redirect", within=15)
            answer = spare.run(
                "curl", "--silent", "--include", "--max-time", "5", f"http://{node.address}/hello-world/"
            )
            assert "X-Cache:" in answer
            # nginx answers what it has begun
            assert slow.result() == "slow"
    finally:
        node.run("rm", drop_in, f"{params.ROOT}/slow.php")
        node.run("systemctl", "daemon-reload")


def test_an_idle_connection_outlives_the_balancers(site: Mapping[str, Node], spare: Node) -> None:
    """The clouds' balancers and Varnish close theirs after 60 s; a server that closes earlier could break a request."""
    spare.run("python3", "-c", IDLE, site["gfs1"].address, str(VARNISH_PORT), str(PORT_BEHIND_CACHE))


def test_the_visit_log_is_bounded_and_leaves_out_refused_visitors(site: Mapping[str, Node], spare: Node) -> None:
    node = site["gfs1"]
    log = "/var/log/varnish/varnishncsa.log"
    visitor = ["--header", "X-Forwarded-For: 198.51.100.9"]
    # from a machine of the network that is no web node, as balancers are
    spare.run("curl", "--silent", "--output", "/dev/null", *visitor, f"http://{node.address}/wp-login.php?[1-60]")
    node.run("curl", "--silent", "--output", "/dev/null", "http://127.0.0.1/the-last-visit")
    node.eventually("grep", "-q", "the-last-visit", log)
    statuses = node.run("sh", "-c", f"awk '/^198.51.100.9 / {{ print $9 }}' {log}").split()
    assert set(statuses) == {"200"}
    assert len(statuses) < 60
    for _ in range(2):
        node.run("sh", "-c", f"head -c 101M /dev/zero >>{log}")
        node.run("logrotate", "/etc/logrotate.conf")
    assert node.run("sh", "-c", f"ls {log}*").split() == [log, f"{log}.1", f"{log}.2.gz"]
    node.run("sh", "-c", f"rm -f {log}.*")


def test_changed_rules_drop_no_request_and_forget_nothing(
    site: Mapping[str, Node], addresses: Mapping[str, str]
) -> None:
    node = site["gfs1"]
    cached(node, "/hello-world/")
    settings = params.vcl(node.name, addresses)
    header = 'set resp.http.X-Tested = "yes";\n    unset resp.http.X-Url;'
    changed = settings | {"SITE": settings["SITE"].replace("unset resp.http.X-Url;", header)}
    with ThreadPoolExecutor() as pool:
        step = pool.submit(node.step, "varnish/vcl.sh", changed)
        answers = []
        while not step.done():
            answers.append(page(node, "/hello-world/"))
        step.result()
    assert len(answers) > 10
    assert all("200 OK" in answer.splitlines()[0] and "X-Cache: hit" in answer for answer in answers)
    assert "X-Tested: yes" in page(node, "/hello-world/")
    node.again("varnish/vcl.sh", changed)
    # a file that was written but not loaded is loaded
    node.run("varnishadm", "vcl.use", "boot")
    node.step("varnish/vcl.sh", changed)
    assert "X-Tested: yes" in page(node, "/hello-world/")
    # a file that does not compile is not written
    before = node.state()
    assert "Symbol not found: 'req.nonsense'" in node.refuses(
        "varnish/vcl.sh",
        settings | {"SITE": settings["SITE"].replace("sub vcl_hash {", "sub vcl_hash {\n set req.nonsense = 1;")},
    )
    assert node.state() == before
    node.step("varnish/vcl.sh", settings)


def test_a_forged_header_changes_nothing(site: Mapping[str, Node], spare: Node) -> None:
    node = site["gfs1"]
    node.run("sh", "-c", f"cat >{params.ROOT}/probe.php", stdin=PROBE)
    honest = page(node, "/probe.php?honest").partition("\n\n")[2]
    forged = page(
        node, "/probe.php?forged", "--header", "X-Forwarded-For: 192.0.2.66, 127.0.0.1",
        "--header", "X-Real-IP: 192.0.2.66", "--header", "X-Forwarded-Proto: https",
        "--header", "Forwarded: for=192.0.2.66;proto=https",
    ).partition("\n\n")[2]  # fmt: skip
    assert forged == honest
    visitor = re.search("REMOTE_ADDR=(.*)", honest)
    assert visitor, honest
    assert f"HTTP_X_FORWARDED_FOR={visitor[1]}\n" in honest
    assert "SERVER_PORT=80\n" in honest
    # through a balancer: the last entry of its header counts, and no earlier one
    through = spare.run(
        "curl", "--silent", "--header", "X-Forwarded-For: 192.0.2.66, 198.51.100.7",
        "--header", "X-Forwarded-Proto: https", f"http://{node.address}/probe.php?hop",
    )  # fmt: skip
    assert "REMOTE_ADDR=198.51.100.7\nHTTPS=on\nSERVER_PORT=443\nHTTP_X_FORWARDED_FOR=198.51.100.7\n" in through
    # the lines are written to the logs with a delay
    log = "/var/log/nginx/access.log"
    node.eventually("grep", "-q", f'^{visitor[1]} .*"GET /probe.php?forged ', log)
    node.eventually("grep", "-q", '^198.51.100.7 .*"GET /probe.php?hop ', log)
    assert "192.0.2.66" not in node.run("cat", log)
    node.eventually(
        "grep", "-q", '^198.51.100.7 .*/probe.php?hop HTTP/1.1" 200 .* miss$', "/var/log/varnish/varnishncsa.log"
    )
    # PHP on a web node, at its own Varnish and at another one's
    for client, target, own in (
        (node, "127.0.0.1", "127.0.0.1"),
        (node, node.address, node.address),
        (site["gfs2"], node.address, site["gfs2"].address),
    ):
        seen = client.run(
            "setpriv", "--reuid=www-data", "--clear-groups",
            "curl", "--silent", "--header", "X-Forwarded-For: 192.0.2.66", f"http://{target}/probe.php?php",
        )  # fmt: skip
        assert f"REMOTE_ADDR={own}\n" in seen
    node.run("rm", f"{params.ROOT}/probe.php")


def test_cached_pages_are_served_with_php_dead_everywhere(
    site: Mapping[str, Node], stopped: Callable[[Node, str], None]
) -> None:
    for node in site.values():
        cached(node, "/hello-world/")
    for node in site.values():
        stopped(node, "php8.4-fpm")
    for node in site.values():
        assert "X-Cache: hit" in page(node, "/hello-world/")
        assert " 50" in page(node, "/?s=never").splitlines()[0]
        node.eventually("sh", "-c", f"[ $({HEALTH}) != 200 ]")
        assert "X-Cache: hit" in page(node, "/hello-world/")


@pytest.mark.parametrize("service", ["php8.4-fpm", "nginx"])
def test_a_dead_node_serves_through_a_neighbour(
    site: Mapping[str, Node], stopped: Callable[[Node, str], None], service: str
) -> None:
    node = site["gfs1"]
    stopped(node, service)
    # from the first request on
    answers = [page(node, f"/?s={service}{at}") for at in range(5)]
    assert all("200 OK" in answer.splitlines()[0] and "X-Cache: miss" in answer for answer in answers)
    # a POST is not tried twice: it succeeds once the health probe has failed
    posted = "curl --silent --output /dev/null --write-out '%{http_code}' --data log=x http://127.0.0.1/wp-login.php"
    node.eventually("sh", "-c", f"[ $({posted}) = 200 ]", within=12)
    # healthy for the balancer, as visitors are served
    assert node.run("sh", "-c", HEALTH) == "200"


def test_an_edited_post_is_fresh_on_all_nodes(edited: Mapping[str, Node]) -> None:
    site = edited
    for node in site.values():
        cached(node, "/hello-world/")
        cached(node, "/")
    php(site["gfs2"], "wp_update_post(['ID' => 1, 'post_title' => 'Edited on gfs2']);")
    # as soon as the edit has ended
    with ThreadPoolExecutor() as pool:
        for path in ("/hello-world/", "/"):
            for shown in pool.map(page, site.values(), [path] * len(site)):
                assert "Edited on gfs2" in shown
    # a comment shows on its post's page; one that waits for approval changes nothing
    for node in site.values():
        cached(node, "/hello-world/")
    php(
        site["gfs3"],
        "wp_insert_comment(['comment_post_ID' => 1, 'comment_content' => 'held', 'comment_approved' => 0]);",
    )
    assert "X-Cache: hit" in page(site["gfs1"], "/hello-world/")
    comment = (
        "['comment_post_ID' => 1, 'comment_content' => 'A good post', 'comment_author' => 'a', 'comment_author_email'"
    )
    comment += " => 'a@example.com', 'comment_author_url' => '', 'user_id' => 1, 'comment_author_IP' => '192.0.2.1']"
    php(site["gfs3"], f"$_SERVER['REMOTE_ADDR'] = '192.0.2.1'; wp_new_comment({comment});")
    for node in site.values():
        assert "A good post" in page(node, "/hello-world/")


def test_a_new_title_is_fresh_on_all_nodes(edited: Mapping[str, Node]) -> None:
    for node in edited.values():
        cached(node, "/hello-world/")
    title = php(edited["gfs1"], "echo base64_encode(get_option('blogname'));")
    php(edited["gfs1"], "update_option('blogname', 'Renamed');")
    try:
        for node in edited.values():
            assert "Renamed" in page(node, "/hello-world/")
    finally:
        php(edited["gfs1"], f"update_option('blogname', base64_decode('{title}'));")


def test_a_node_that_was_away_receives_the_edit_when_it_is_back(edited: Mapping[str, Node]) -> None:
    site = edited
    editor, away = site["gfs1"], site["gfs3"]
    deliver(editor, 0)
    cached(away, "/hello-world/")
    others = ", ".join(node.address for node in site.values() if node is not away)
    rule = f"ip saddr {{ {others} }} tcp dport 80 drop"
    chain = f"chain in {{\n type filter hook input priority 0\n {rule}\n }}"
    away.run("nft", "-f", "-", stdin=f"table inet away {{\n {chain}\n }}\n")
    began = time.monotonic()
    php(editor, "wp_update_post(['ID' => 1, 'post_title' => 'Edited while away']);")
    assert time.monotonic() - began < 3 * 5
    assert "Edited while away" in page(site["gfs2"], "/hello-world/")
    assert "Edited while away" not in page(away, "/hello-world/")
    # the others receive it once more, then only the absent node is left
    deliver(editor, 1)
    cron(editor)
    assert undelivered(editor) == 1
    assert "Edited while away" not in page(away, "/hello-world/")
    away.run("nft", "delete", "table", "inet", "away")
    cron(editor)
    assert "Edited while away" in page(away, "/hello-world/")
    assert undelivered(editor) == 0


def test_a_node_that_has_left_receives_no_more_edits(site: Mapping[str, Node]) -> None:
    node = site["gfs1"]
    for each in site.values():
        page(each, "/", "--cookie", "wordpress_logged_in_0=x")
    assert receivers(node) == sorted(node.address for node in site.values())
    php(node, "update_option('ha_wordpress_cache_10.20.9.7', time() - 14 * HOUR_IN_SECONDS);")
    assert "10.20.9.7" in receivers(node)
    cron(node)
    assert receivers(node) == sorted(node.address for node in site.values())


def test_a_visitor_cannot_add_a_cache(site: Mapping[str, Node]) -> None:
    node = site["gfs1"]
    forged = ["--header", "X-Cache-Address: 192.0.2.66"]
    page(node, "/?forged", *forged)
    page(node, "/", *forged, "--cookie", "wordpress_logged_in_0=x")
    assert "192.0.2.66" not in receivers(node)


def test_a_client_outside_cannot_purge_a_page(site: Mapping[str, Node]) -> None:
    node = site["gfs1"]
    cached(node, "/hello-world/")
    forged = ["--header", "X-Url: ^/", "--header", f"X-Forwarded-For: {node.address}"]
    assert "403" in page(node, "/", "--request", "BAN", *forged).splitlines()[0]
    assert "405" in page(node, "/hello-world/", "--request", "PURGE", *forged).splitlines()[0]
    assert "X-Cache: hit" in page(node, "/hello-world/")


def test_varnish_names_the_process_that_has_its_port(spare: Node, addresses: Mapping[str, str]) -> None:
    spare.run("systemd-run", "--unit=squatter", "python3", "-m", "http.server", "80")
    spare.eventually("curl", "--silent", "--output", "/dev/null", "http://127.0.0.1/")
    spare.step("varnish/vcl.sh", params.vcl("spare", {**addresses, "spare": spare.address}))
    output = spare.refuses("varnish/varnish.sh", params.varnish())
    assert "python3" in output
    spare.run("systemctl", "stop", "squatter")
