"""web/web.sh, on nodes with the volume mounted."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor

import pytest

from components.web.web import WITHOUT_CACHE
from rehearsal.system.shell import ToolError
from tests.scripts import params
from tests.scripts.node import Node


@pytest.fixture(scope="module")
def node(mounted: Mapping[str, Node]) -> Node:
    """A node with nginx and PHP that serve the volume."""
    mounted["gfs1"].step("web/web.sh", params.web())
    return mounted["gfs1"]


def ask(node: Node, path: str) -> str:
    """A node's answer to a client outside it: head and body."""
    words = ["curl", "--silent", "--include", "--path-as-is", "--max-time", "30"]
    words.append(f"http://{node.machine.endpoint.public}{path}")
    return subprocess.run(words, check=True, capture_output=True, text=True).stdout


def health(node: Node) -> str:
    """A node's answer to its own check of its health: head and body."""
    return node.run("curl", "--silent", "--include", "--max-time", "30", "http://127.0.0.1/healthz")


def reload(node: Node, service: str, worker: str) -> None:
    """Reload a service and wait until the last of its old workers has ended."""
    workers = node.run("pgrep", "-f", f"^{worker}").splitlines()
    node.run("systemctl", "reload", service)
    node.eventually("sh", "-c", f"! ps -p {','.join(workers)}")


def test_web_serves_php_and_reports_its_health(node: Node) -> None:
    healthy = health(node)
    assert "200 OK" in healthy.splitlines()[0]
    assert healthy.endswith("\n\nok\n")
    node.run("sh", "-c", f"echo '<?php echo ini_get(\"opcache.revalidate_freq\");' >{params.ROOT}/probe.php")
    assert ask(node, "/probe.php").endswith("\n\n10")
    node.run("rm", f"{params.ROOT}/probe.php")
    # PHP trusts the database's certificate authority
    bundle = node.run("cat", "/etc/ssl/certs/ca-certificates.crt")
    first = params.web()["TRUSTED_CA"].split("-----BEGIN CERTIFICATE-----")[1].split("-----END")[0]
    assert first in bundle
    node.again("web/web.sh", params.web())


def test_web_reports_that_the_mount_is_gone(node: Node) -> None:
    node.run("systemctl", "stop", "gluster-mount@var-www-html.service")
    gone = health(node)
    assert "503" in gone.splitlines()[0]
    assert f"{params.ROOT} is not mounted" in gone
    node.again("web/web.sh", params.web())
    node.step("gluster/mount.sh", params.mount("node-gfs1"))
    assert "200 OK" in health(node).splitlines()[0]


@pytest.mark.parametrize("path", ["/healthz", "/healthz?x", "//healthz", "/%68ealthz", "/a/../healthz"])
def test_visitors_cannot_ask_for_a_nodes_health(node: Node, mounted: Mapping[str, Node], path: str) -> None:
    assert "403" in ask(node, path).splitlines()[0]
    # through a hop, with a forged header
    through = ["curl", "--silent", "--include", "--path-as-is", f"http://{node.address}{path}"]
    visitor = ["--header", "X-Forwarded-For: 127.0.0.1, 198.51.100.7"]
    assert "403" in mounted["gfs2"].run(*through, *visitor).splitlines()[0]
    assert "200" in mounted["gfs2"].run(*through).splitlines()[0]


def test_the_visitor_is_the_one_that_a_trusted_proxy_names(node: Node) -> None:
    node.run("sh", "-c", f"echo '<?php echo $_SERVER[\"REMOTE_ADDR\"];' >{params.ROOT}/probe.php")

    def visitor(forwarded: str) -> str:
        return node.run("curl", "--silent", "--header", f"X-Forwarded-For: {forwarded}", "http://127.0.0.1/probe.php")

    assert visitor("192.0.2.66, 203.0.113.7, 198.51.100.200, 10.20.9.8") == "203.0.113.7"
    assert visitor("203.0.113.7, 198.51.100.200, 203.0.113.1") == "203.0.113.1"
    node.run("rm", f"{params.ROOT}/probe.php")


def test_only_a_balancer_says_that_a_visitor_uses_https(node: Node, mounted: Mapping[str, Node]) -> None:
    page = (
        '<?php if (isset($_GET["own"])) header("Strict-Transport-Security: max-age=1");'
        'echo $_SERVER["HTTPS"] ?? "", $_SERVER["HTTP_X_FORWARDED_PROTO"] ?? "";'
    )
    node.run("sh", "-c", f"cat >{params.ROOT}/probe.php", stdin=page)
    asked = ["curl", "--silent", "--include", "--header", "X-Forwarded-Proto: https"]

    def scheme(answer: str) -> tuple[str, list[str]]:
        """What PHP has as the visitor's scheme, and what the browser is told about it."""
        required = [line for line in answer.splitlines() if line.startswith("Strict-Transport-Security: ")]
        return answer.splitlines()[-1], [line.split(": ")[1] for line in required]

    balancer = mounted["gfs2"]
    assert scheme(balancer.run(*asked, f"http://{node.address}/probe.php")) == ("on", ["max-age=31536000"])
    assert scheme(balancer.run(*asked, f"http://{node.address}/absent.txt"))[1] == ["max-age=31536000"]
    assert scheme(balancer.run(*asked, f"http://{node.address}/probe.php?own")) == ("on", ["max-age=1"])
    outside = [*asked, f"http://{node.machine.endpoint.public}/probe.php"]
    assert scheme(subprocess.run(outside, check=True, capture_output=True, text=True).stdout) == ("", [])
    node.run("rm", f"{params.ROOT}/probe.php")


def test_visitors_may_be_admitted_from_proxies_only(node: Node, mounted: Mapping[str, Node]) -> None:
    asked = ["curl", "--silent", "--fail", "--max-time", "3", "--output", "/dev/null"]
    outside = [*asked, f"http://{node.machine.endpoint.public}/readme.html"]
    node.run("touch", f"{params.ROOT}/readme.html")
    try:
        node.step("firewall/firewall.sh", params.packet_filter("198.51.100.0/24"))
        # a timeout, as the packet filter drops what it does not admit
        assert subprocess.run(outside, check=False).returncode == 28
        mounted["gfs2"].run(*asked, f"http://{node.address}/readme.html")
        node.step("firewall/firewall.sh", params.packet_filter("198.51.100.0/24", "203.0.113.0/24"))
        subprocess.run(outside, check=True)
    finally:
        node.step("firewall/firewall.sh", params.FIREWALL)
        node.run("rm", f"{params.ROOT}/readme.html")


def test_web_takes_over_a_changed_file(node: Node) -> None:
    header = "    add_header X-Tested yes always;\n    root "
    node.step("web/web.sh", params.web() | {"NGINX": params.web()["NGINX"].replace("    root ", header)})
    asked = "curl --silent --head http://127.0.0.1/absent.txt | grep '^X-Tested: yes'"
    node.eventually("sh", "-c", asked)
    node.step("web/web.sh", params.web())
    node.eventually("sh", "-c", f"! {asked}")
    # an old worker ends with its last connection
    node.eventually("sh", "-c", "! pgrep -f '^nginx: worker process is shutting down'")


@pytest.mark.parametrize(("memory_mb", "workers"), [(950, 16), (1910, 17), (3800, 47), (15900, 48)])
def test_php_has_the_workers_that_memory_allows(node: Node, memory_mb: int, workers: int) -> None:
    meminfo = f"echo 'MemTotal: {memory_mb * 1024} kB' >/run/meminfo && mount --bind /run/meminfo /proc/meminfo"
    node.run("sh", "-c", meminfo)
    try:
        node.step("web/web.sh", params.web())
    finally:
        node.run("umount", "/proc/meminfo")
    in_force = node.run("sh", "-c", "php-fpm8.4 -tt 2>&1").split("[www]")[1]
    assert f"pm.max_children = {workers}\n" in in_force
    node.step("web/web.sh", params.web())


def test_web_reloads_php_under_a_visitor(node: Node) -> None:
    node.run("sh", "-c", f'echo \'<?php touch("/tmp/asked"); sleep(2); echo "whole";\' >{params.ROOT}/slow.php')
    with ThreadPoolExecutor() as pool:
        page = pool.submit(ask, node, "/slow.php")
        node.eventually("sh", "-c", "find /tmp -name asked | grep .")
        reload(node, "php8.4-fpm", "php-fpm: pool health")
        assert page.result().endswith("\n\nwhole")
    node.run("rm", f"{params.ROOT}/slow.php")


def test_an_update_outlasts_the_limit_of_other_pages_and_its_visitor(node: Node) -> None:
    root = f"{params.ROOT}/wp-admin"
    # the page that must not end comes first, so that it would have ended before the others
    pages = "other.php", "update.php", "update-core.php"
    slow = "<?php sleep(6); echo 1; flush(); touch(__FILE__ . '.ended');"
    node.run("install", "--directory", "--owner=www-data", root)
    for page in pages:
        node.run("tee", f"{root}/{page}", stdin=slow)
    limited = {"NGINX": params.web()["NGINX"].replace(" 60s;", " 3s;")}
    limited["SITE_POOL"] = params.web()["SITE_POOL"].replace("= 60s", "= 3s")
    node.step("web/web.sh", params.web() | limited)
    try:
        for page in pages:
            node.run("sh", "-c", f"curl --silent --max-time 1 http://127.0.0.1/wp-admin/{page} || true")
        for page in pages[1:]:
            node.eventually("test", "-e", f"{root}/{page}.ended")
        assert node.run("sh", "-c", f"cd {root} && ls *.ended").split() == ["update-core.php.ended", "update.php.ended"]
    finally:
        node.run("rm", "-r", root)
        node.step("web/web.sh", params.web())


@pytest.mark.parametrize("service", ["php8.4-fpm", "nginx"])
def test_a_killed_service_restarts_by_itself_however_often(node: Node, service: str) -> None:
    node.survives_kills(service)
    node.eventually("curl", "--silent", "--fail", "http://127.0.0.1/healthz", within=15)


@pytest.mark.parametrize("name", ["wp-config.php.new", "wp-config.php~", "dump.SQL", ".wp-config.php.swp", "a/b.bak"])
def test_temporary_files_and_copies_are_not_served(node: Node, name: str) -> None:
    path = f"{params.ROOT}/{name}"
    node.run("sh", "-c", f'mkdir -p "$(dirname {path})" && echo DB_PASSWORD >{path}')
    answer = ask(node, f"/{name}")
    node.run("rm", path)
    assert "404" in answer.splitlines()[0]
    assert "DB_PASSWORD" not in answer


def test_web_includes_the_files_of_other_components(node: Node) -> None:
    node.run("mkdir", "-p", "/etc/nginx/ha-wordpress.d")
    node.run("sh", "-c", "echo 'add_header X-Tested included always;' >/etc/nginx/ha-wordpress.d/tested.conf")
    node.run("systemctl", "reload", "nginx")
    asked = "curl --silent --head http://127.0.0.1/absent.txt | grep '^X-Tested: included'"
    node.eventually("sh", "-c", asked)
    node.run("rm", "/etc/nginx/ha-wordpress.d/tested.conf")
    reload(node, "nginx", "nginx: worker")


def test_web_redirects_to_a_directory_without_its_own_port(node: Node) -> None:
    node.run("mkdir", f"{params.ROOT}/directory")
    assert "\nLocation: /directory/\n" in ask(node, "/directory")
    node.run("rmdir", f"{params.ROOT}/directory")


@pytest.mark.parametrize(
    ("file", "broken", "output"),
    [("NGINX", "server { listen", "unexpected end of file"), ("SITE_POOL", "[www]\nlisten =\n", "ALERT: [pool www]")],
)
def test_web_goes_on_as_it_was_when_a_file_is_wrong(node: Node, file: str, broken: str, output: str) -> None:
    before = node.state()
    slower = params.text("web/php.ini").replace("revalidate_freq = 10", "revalidate_freq = 11")
    assert output in node.refuses("web/web.sh", params.web() | {file: broken, "PHP_INI": slower})
    assert sorted(set(before) ^ set(node.state())) == []
    assert "200 OK" in health(node).splitlines()[0]
    node.again("web/web.sh", params.web())


def burst(node: Node, other: Node, visitor: str, requests: int) -> list[str]:
    """Statuses of a PHP page for 20 parallel requests at a time, which a neighbour forwards for a visitor."""
    forwarded = ["--header", f"X-Forwarded-For: {visitor}"] if visitor else []
    output = ["--silent", "--output", "/dev/null", "--write-out", "%{http_code}\n"]
    url = f"http://{node.address}/index.php?[1-{requests}]"
    return other.run("curl", "--parallel", "--parallel-max", "20", *output, *forwarded, url).split()


@pytest.fixture
def page(node: Node) -> Iterator[None]:
    node.run("sh", "-c", f"echo '<?php echo 1;' >{params.ROOT}/index.php")
    yield
    node.run("rm", f"{params.ROOT}/index.php")


@pytest.mark.usefixtures("page")
def test_a_visitor_is_refused_before_php_and_others_are_not(node: Node, mounted: Mapping[str, Node]) -> None:
    other = mounted["gfs2"]
    # a dashboard's requests, all at once
    assert burst(node, other, "198.51.100.7", 20) == ["200"] * 20
    began = time.monotonic()
    statuses = burst(node, other, "198.51.100.7", 200)
    assert set(statuses) == {"200", "429"}
    elapsed = time.monotonic() - began
    assert statuses.count("200") <= 1 + WITHOUT_CACHE.at_once + WITHOUT_CACHE.rate * elapsed
    heads = other.run(
        "curl", "--silent", "--head", "--parallel", "--parallel-max", "20",
        "--header", "X-Forwarded-For: 198.51.100.7", f"http://{node.address}/index.php?[1-100]",
    )  # fmt: skip
    assert heads.count("HTTP/1.1 429 ") == heads.count("Retry-After: 5") > 0
    # another visitor; a node's own requests; an operator's
    for visitor in ("198.51.100.8", "", "203.0.113.77"):
        assert set(burst(node, other, visitor, 20 if visitor == "198.51.100.8" else 100)) == {"200"}


@pytest.mark.usefixtures("page")
def test_a_visitors_ipv6_network_counts_as_one_visitor(node: Node, mounted: Mapping[str, Node]) -> None:
    other = mounted["gfs2"]
    assert "429" in burst(node, other, "2001:db8:0:1::1", 200)
    assert "429" in burst(node, other, "2001:db8:0:1:ffff::2", 20)
    assert set(burst(node, other, "2001:db8:0:2::1", 20)) == {"200"}


def as_user(user: str, *command: str) -> list[str]:
    """A command of a service's user, with the groups of that user."""
    return ["setpriv", f"--reuid={user}", f"--regid={user}", "--init-groups", *command]


def test_nginx_has_a_user_of_its_own(node: Node) -> None:
    users = node.run("ps", "-o", "user:20=", "-C", "nginx").split()
    assert sorted(set(users)) == ["nginx", "root"]
    assert node.run("id", "--name", "--groups", "nginx").split() == ["nginx", "www-data"]


def test_only_nginx_reaches_php(node: Node) -> None:
    listening = node.run("ss", "--no-header", "--tcp", "--listening", "--numeric", "--processes")
    assert "php-fpm" not in listening
    for name in ("site", "updates", "health"):
        connect = f"exit((int) !@fsockopen('unix:///run/ha-wordpress-php/{name}.sock'));"
        node.run(*as_user("nginx", "php", "-r", connect))
        with pytest.raises(ToolError):
            node.run(*as_user("www-data", "php", "-r", connect))


def test_nginx_serves_what_the_sites_group_may_read_and_nothing_else(node: Node) -> None:
    for name, mode in (("shared.txt", "640"), ("private.txt", "600")):
        node.run("sh", "-c", f"echo content >{params.ROOT}/{name}")
        node.run("chown", "www-data:www-data", f"{params.ROOT}/{name}")
        node.run("chmod", mode, f"{params.ROOT}/{name}")
    shared, private = ask(node, "/shared.txt"), ask(node, "/private.txt")
    node.run("rm", f"{params.ROOT}/shared.txt", f"{params.ROOT}/private.txt")
    assert "200 OK" in shared.splitlines()[0]
    assert "403" in private.splitlines()[0]


def test_nginx_buffers_large_bodies_in_files(node: Node) -> None:
    page = "<?php echo strlen(file_get_contents('php://input')), str_repeat('x', 5000000);"
    node.run("sh", "-c", f"cat >{params.ROOT}/large.php", stdin=page)
    posted = "head -c 5000000 /dev/zero | curl --silent --fail --data-binary @- http://127.0.0.1/large.php"
    # slow enough that nginx needs its own file for the answer
    length = node.run("sh", "-c", f"{posted} --limit-rate 8M | wc -c")
    node.run("rm", f"{params.ROOT}/large.php")
    assert int(length) == 5000007
    assert node.run("stat", "--format=%U", "/var/lib/nginx/body", "/var/lib/nginx/fastcgi").split() == ["nginx"] * 2


def test_logs_are_bounded_however_much_is_written(node: Node) -> None:
    calendar = node.run("systemctl", "show", "--property=TimersCalendar", "--value", "logrotate.timer")
    assert "OnCalendar=*-*-* *:00/10:00 " in calendar
    assert node.run("systemctl", "is-active", "logrotate.timer") == "active\n"
    log = "/var/log/nginx/access.log"
    for _ in range(9):
        node.run("sh", "-c", f"head -c 101M /dev/zero >>{log}")
        node.run("logrotate", "/etc/logrotate.conf")
    files = node.run("sh", "-c", f"ls {log}*").split()
    assert len(files) == 1 + 7
    # all but the current file and the last one are compressed
    assert int(node.run("sh", "-c", f"cat {log}* | wc -c")) < 105 * 1024**2
    node.run("sh", "-c", f"rm -f {log}.*")


def test_nginx_writes_its_log_after_a_rotation(node: Node) -> None:
    node.run("logrotate", "--force", "/etc/logrotate.d/nginx")
    assert node.run("stat", "--format=%U %a", "/var/log/nginx/access.log") == "nginx 640\n"
    # nginx opens the new file some time after the signal
    asked = "curl --silent --output /dev/null http://127.0.0.1/absent.txt"
    node.eventually("sh", "-c", f"{asked} && grep -q absent.txt /var/log/nginx/access.log")
