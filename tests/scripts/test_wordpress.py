"""The steps of wordpress/, on a node with the volume and PHP.

The stages are `node`, `code`, `site` and `old_site`. Further sites are on the node's own disk, which the steps cannot
tell from a mount.
"""

from __future__ import annotations

import ipaddress
import json
import sys
from collections.abc import Collection, Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from pathlib import Path

import pytest

from components.cloud.aws.database import NAME
from components.config.settings import Smtp
from components.wordpress.wordpress import smtp_params
from rehearsal.region.ca import CertificateAuthority
from rehearsal.region.endpoint import Endpoint
from rehearsal.region.region import Region
from rehearsal.region.service import Service
from rehearsal.system.shell import ToolError
from tests.scripts import params
from tests.scripts.conftest import FOREIGN_CA, NO_TLS, PASSWORD
from tests.scripts.node import OUTSIDE, Node
from tests.scripts.test_web import ask, reload

STATE = ".ha-wordpress"
PHOTO = "wp-content/uploads/2013/05/photo.jpg"
TARBALL = "/srv/site.tar.gz"
DUMP = "/srv/site.sql"


@pytest.fixture(scope="module")
def node(mounted: Mapping[str, Node]) -> Node:
    """A node with nginx and PHP that serve the volume."""
    node = mounted["gfs1"]
    node.step("web/web.sh", params.web())
    return node


@pytest.fixture(scope="module")
def code(node: Node) -> Node:
    """The node with WordPress's code on the volume."""
    node.step("wordpress/code.sh", params.code())
    return node


@pytest.fixture(scope="module")
def site(code: Node, databases: Mapping[str, str]) -> Node:
    """The node with WordPress installed."""
    code.step("wordpress/site.sh", params.site(databases[NAME]), params.site_secrets(PASSWORD))
    return code


@pytest.fixture(scope="module")
def old_site(site: Node, databases: Mapping[str, str]) -> Node:
    """The node with a site to import: its files in /srv/old and TARBALL, its database in DUMP."""
    site.run("sh", "-c", f"""
        cp -rL /usr/share/wordpress /srv/old && cd /srv/old && cp {params.ROOT}/wp-config.php .
        find . -type f ! -name '*.php' -delete
        mkdir -p {PHOTO.rpartition("/")[0]} && head -c 100000 /dev/urandom >{PHOTO}
        chmod 640 {PHOTO} && touch --date=2020-02-02 {PHOTO} && ln -s photo.jpg {PHOTO}.link
        tar -czf {TARBALL} -C /srv old
        mariadb-dump --ssl --host={databases[NAME]} --user={NAME} --password={PASSWORD} {NAME} |
            sed 's/`wp_/`blog_/g; s/wp_user_roles/blog_user_roles/' >{DUMP}
    """)  # fmt: skip
    return site


@pytest.fixture(scope="module")
def refused(node: Node, databases: Mapping[str, str]) -> Iterator[dict[str, Future[str]]]:
    """The output of site.sh for databases that reject it. Each takes a minute; other tests run meanwhile."""
    good = databases[NAME]
    attempts = {
        "wrong password": (good, PASSWORD[::-1]),
        "wrong authority": (databases[FOREIGN_CA], PASSWORD),
        "no TLS": (databases[NO_TLS], PASSWORD),
        "no server": (node.address, PASSWORD),
    }
    with ThreadPoolExecutor() as pool:
        yield {
            what: pool.submit(
                node.refuses, "wordpress/site.sh", params.site(host, "/srv/refused"), params.site_secrets(password)
            )
            for what, (host, password) in attempts.items()
        }


def sql(node: Node, host: str, statement: str, name: str = NAME, *options: str) -> str:
    """The database's answer to a statement."""
    words = ["mariadb", f"--host={host}", f"--user={NAME}", f"--password={PASSWORD}", "--batch", "--skip-column-names"]
    return node.run(*words, "--ssl", *options, f"--execute={statement}", name).strip()


def directory(node: Node, path: str) -> str:
    """A new document root on the node's own disk."""
    node.run("install", "--directory", "--owner=www-data", "--group=www-data", path)
    return path


def sum_of(node: Node, file: str) -> str:
    return node.run("sha256sum", file).split()[0]


@pytest.mark.usefixtures("refused")
def test_code_is_debians_and_belongs_to_the_web_server(code: Node) -> None:
    version = "sed -n \"s/^.wp_version = '\\(.*\\)';/\\1/p\""
    ours = code.run("sh", "-c", f"{version} {params.ROOT}/wp-includes/version.php").strip()
    assert ours
    assert code.run("dpkg-query", "--show", "--showformat=${Version}", "wordpress").startswith(ours)
    assert code.run("find", params.ROOT, "!", "-user", "www-data") == ""
    assert code.run("find", params.ROOT, "-type", "l") == ""
    code.again("wordpress/code.sh", params.code())


def test_code_is_all_of_debians_and_nothing_else(node: Node) -> None:
    root = directory(node, "/srv/code")
    node.step("wordpress/code.sh", params.code(root))
    packaged = node.run("sh", "-c", "find -L /usr/share/wordpress -type f ! -name wp-config.php | wc -l")
    assert node.run("sh", "-c", f"find {root} -type f ! -path '*/{STATE}/*' | wc -l") == packaged
    node.run("rm", "-r", root)


def test_code_goes_on_where_it_was_interrupted(node: Node) -> None:
    root = directory(node, "/srv/interrupted")
    node.run("sh", "-c", f"cd {root} && mkdir {STATE} && touch {STATE}/copying wp-load.php && chown -R www-data: .")
    node.step("wordpress/code.sh", params.code(root))
    node.run("cmp", f"{root}/wp-load.php", "/usr/share/wordpress/wp-load.php")
    assert node.run("ls", f"{root}/{STATE}") == "code\n"
    node.run("rm", "-r", root)


@pytest.mark.parametrize(
    "planted",
    [
        f"ln -s {OUTSIDE} {STATE}",
        f"mkdir {STATE}; ln -s /etc/shadow {STATE}/code",
        f"ln -s private/bans {STATE}",
        f"mv private {STATE}",
    ],
)
def test_code_gives_no_file_of_roots_away(node: Node, planted: str) -> None:
    root = directory(node, "/srv/planted")
    private = f"{root}/private"
    node.run("sh", "-c", f"mkdir -p -m 700 {private}/bans; echo secret >{private}/key; chmod 755 {private}")
    node.plant(f"cd {root}", planted)
    before = node.protected()
    node.refuses("wordpress/code.sh", params.code(root))
    assert node.protected() == before
    assert node.run("find", root, "-mindepth", "1", "-user", "www-data", "!", "-type", "l") in ("", f"{root}/{STATE}\n")
    node.run("rm", "-r", root)


def test_code_takes_over_the_directory_with_roots_bans(node: Node) -> None:
    root = directory(node, "/srv/banned")
    node.run(
        "sh", "-c", f"mkdir -p -m 700 {root}/{STATE}/bans; chmod 755 {root}/{STATE}; touch {root}/{STATE}/bans/fact"
    )
    node.step("wordpress/code.sh", params.code(root))
    owners = node.run("stat", "--format=%U %a", f"{root}/{STATE}", f"{root}/{STATE}/bans", f"{root}/{STATE}/bans/fact")
    assert owners == "www-data 755\nroot 700\nroot 644\n"
    node.run("rm", "-r", root)


def test_site_is_installed_once_and_answers(site: Node, databases: Mapping[str, str]) -> None:
    page = ask(site, "/")
    assert "200 OK" in page.splitlines()[0]
    assert "<title>It&#039;s a &quot;site&quot; of $5</title>" in page
    assert "200 OK" in ask(site, "/hello-world/").splitlines()[0]
    users = sql(site, databases[NAME], "SELECT user_login, user_email FROM wp_users")
    assert users.split() == ["admin", "admin@example.com"]
    check = f"require '{params.ROOT}/wp-load.php'; exit(is_wp_error(wp_authenticate('admin', $argv[1])) ? 1 : 0);"
    site.run("setpriv", "--reuid=www-data", "--clear-groups", "php", "-r", check, params.ADMIN_PASSWORD)
    config = f"{params.ROOT}/wp-config.php"
    assert site.run("stat", "--format=%U %a", config) == "www-data 600\n"
    with pytest.raises(ToolError, match="Permission denied"):
        site.run("setpriv", "--reuid=nginx", "--regid=nginx", "--init-groups", "cat", config)
    assert all(salt in site.run("cat", config) for salt in params.SALT_VALUES.values())


UPDATE_LIMIT = 900
"""Seconds that a core update may take: the limit of wordpress-cron.service."""


UPGRADER = "require ABSPATH . 'wp-admin/includes/class-wp-upgrader.php';"


def as_site(node: Node, code: str, *arguments: str) -> str:
    """The output of PHP code that runs inside WordPress, as the web server's user."""
    load = f"require '{params.ROOT}/wp-load.php'; require ABSPATH . 'wp-admin/includes/admin.php';"
    words = ["setpriv", "--reuid=www-data", "--clear-groups", "php", "-r", f"{load} {code}", *arguments]
    return node.machine.enter(*words, timeout=UPDATE_LIMIT)


@pytest.mark.parametrize(("part", "installs"), [(2, True), (1, False), (0, False)])
def test_minor_updates_install_themselves_and_major_ones_do_not(site: Node, part: int, installs: bool) -> None:
    version = as_site(site, "echo implode('.', array_slice(explode('.', wp_get_wp_version() . '.0'), 0, 3));")
    parts = [int(number) for number in version.split(".")]
    parts[part] += 1
    offered = ".".join(map(str, parts))
    wanted = as_site(site, f"{UPGRADER} echo (int) Core_Upgrader::should_update_to_version($argv[1]);", offered)
    assert bool(int(wanted)) == installs


PACKAGE = """
cd "$(mktemp --directory)"
cp -rL /usr/share/wordpress wordpress && rm -f wordpress/wp-config.php && touch wordpress/readme.html
sed -i "s/^.wp_version = .*/\\$wp_version = '$1';/" wordpress/wp-includes/version.php
python3 -m zipfile -c /tmp/update.zip wordpress
chmod 644 /tmp/update.zip
rm -r wordpress
"""
"""Packs Debian's code as an update to the version $1. WordPress copies all files: it has no checksums to compare."""

UPDATE = """
add_filter('pre_http_request', fn() => new WP_Error('offline', 'no network'));
$packages = (object) ['full' => '/tmp/update.zip', 'no_content' => '', 'new_bundled' => '', 'partial' => ''];
$offer = (object) [
    'response' => 'upgrade', 'locale' => 'en_US', 'current' => $argv[1], 'version' => $argv[1],
    'packages' => $packages, 'new_bundled' => '', 'partial_version' => '',
];
$began = microtime(true);
$result = (new Core_Upgrader(new Automatic_Upgrader_Skin()))->upgrade($offer);
echo json_encode([is_wp_error($result) ? $result->get_error_messages() : $result, microtime(true) - $began]);
"""


def test_a_core_update_ends_within_a_third_of_its_limit(site: Node) -> None:
    version = f"{params.ROOT}/wp-includes/version.php"
    files = site.run("sh", "-c", "find -L /usr/share/wordpress -type f | wc -l").strip()
    site.run("sh", "-euc", PACKAGE, "sh", "6.8.999")
    try:
        result, seconds = json.loads(as_site(site, UPGRADER + UPDATE, "6.8.999").splitlines()[-1])
        print(f"a core update of {files} files: {seconds:.0f} s")  # noqa: T201
        assert result == "6.8.999"
        assert "6.8.999" in site.run("cat", version)
        assert seconds < UPDATE_LIMIT / 3
    finally:
        site.run("sh", "-c", f"cat /usr/share/wordpress/wp-includes/version.php >{version}; rm -f /tmp/update.zip")


WATCHED = r"""#!/bin/bash
env >>/run/watched
printf '%s\n' "$@" >>/run/watched
PATH=/usr/sbin:/usr/bin exec "${0##*/}" "$@"
"""
"""A stand-in in front of a command: writes down its environment and its arguments."""


def test_no_child_of_the_step_gets_a_secret_in_its_environment(site: Node, databases: Mapping[str, str]) -> None:
    config = f"{params.ROOT}/wp-config.php"
    commands = " ".join(f"/usr/local/sbin/{name}" for name in ("php", "mariadb", "setpriv", "tee"))
    site.run("sh", "-c", f"tee {commands} >/dev/null; chmod 755 {commands}; rm {config}", stdin=WATCHED)
    site.run("install", "--mode=666", "/dev/null", "/run/watched")
    try:
        site.step("wordpress/site.sh", params.site(databases[NAME]), params.site_secrets(PASSWORD))
    finally:
        site.run("sh", "-c", f"rm {commands}")
    assert params.SITE_PASSWORD in site.run("cat", config)
    watched = site.run("cat", "/run/watched")
    assert "DB_USER=" in watched
    for secret in (
        PASSWORD,
        params.SITE_PASSWORD,
        params.ADMIN_PASSWORD,
        params.SMTP_PASSWORD,
        *params.SALT_VALUES.values(),
    ):
        assert secret not in watched


MAIL_SERVER = "smtp.rehearsal.test"


@contextmanager
def mail_server(
    region: Region, nodes: Collection[Node], directory: Path, encryption: str, certified: str
) -> Iterator[None]:
    """A mail server at MAIL_SERVER (mail_server.py), with a certificate of the region's authority for `certified`."""
    region.ca.sign(directory, certified)
    port = region.network.new_port("eth0", ipaddress.IPv4Network("10.20.9.0/24"), ("sg-all",))
    endpoint = Endpoint("mail", (port,))
    region.network.plug(endpoint, configured=True)
    words = [sys.executable, "-m", "tests.scripts.mail_server", port.address, str(directory), encryption]
    server = Service(["nsenter", f"--net={endpoint.namespace}", *words], directory / "log")
    hosts = {node: node.run("cat", "/etc/hosts") for node in nodes}
    try:
        for node in nodes:
            node.run("tee", "-a", "/etc/hosts", stdin=f"{port.address} {MAIL_SERVER}\n")
            number = 465 if encryption == "implicit" else 587
            node.eventually("bash", "-c", f": </dev/tcp/{MAIL_SERVER}/{number}")
        yield
    finally:
        for node, before in hosts.items():
            node.run("sh", "-c", "cat >/etc/hosts", stdin=before)
        server.stop()
        region.network.unplug(endpoint)


@pytest.fixture(params=[587, 465])
def mailing(site: Node, databases: Mapping[str, str], request: pytest.FixtureRequest) -> Iterator[str]:
    """The encryption of the mail server's port that the site is set to."""
    smtp = Smtp.model_validate(
        {"host": MAIL_SERVER, "port": request.param, "user": params.SMTP_USER, "from": "site@rehearsal.test"}
    )
    settings, secrets = params.site(databases[NAME]), params.site_secrets(PASSWORD)
    site.step("wordpress/site.sh", settings | smtp_params(smtp), secrets)
    site.again("wordpress/site.sh", settings | smtp_params(smtp), secrets)
    reload(site, "php8.4-fpm", "php-fpm: pool www")
    yield "implicit" if request.param == 465 else "starttls"
    site.step("wordpress/site.sh", settings, secrets)
    reload(site, "php8.4-fpm", "php-fpm: pool www")


def reset_password(node: Node) -> tuple[str, str]:
    """The status of the page that mails a link for a new password, and what it added to nginx's log of errors."""
    log = "/var/log/nginx/error.log"
    before = node.run("cat", log)
    status = node.run(
        "curl", "--silent", "--output", "/dev/null", "--write-out", "%{http_code}", "--data", "user_login=admin",
        "http://127.0.0.1/wp-login.php?action=lostpassword",
    )  # fmt: skip
    return status, node.run("cat", log).removeprefix(before)


def test_mail_goes_to_the_server_of_the_settings(site: Node, region: Region, tmp_path: Path, mailing: str) -> None:
    with mail_server(region, [site], tmp_path, mailing, MAIL_SERVER):
        assert reset_password(site) == ("302", "")
    (mail,) = (tmp_path / "mail/new").iterdir()
    text = mail.read_text()
    assert "From: WordPress <site@rehearsal.test>\n" in text
    assert "To: admin@example.com\n" in text
    assert "action=3Drp" in text or "action=rp" in text


def test_no_mail_goes_to_a_server_with_another_name(site: Node, region: Region, tmp_path: Path, mailing: str) -> None:
    with mail_server(region, [site], tmp_path, mailing, "other.rehearsal.test"):
        status, log = reset_password(site)
    assert status == "200"
    assert "Mail: not sent: SMTP Error: Could not connect to SMTP host." in log
    assert f"did not match expected name `{MAIL_SERVER}'" in log
    assert not any((tmp_path / "mail/new").iterdir())


def test_no_mail_goes_to_a_server_that_nobody_vouches_for(
    site: Node, region: Region, tmp_path: Path, mailing: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(region, "ca", CertificateAuthority())
    with mail_server(region, [site], tmp_path, mailing, MAIL_SERVER):
        status, log = reset_password(site)
    assert status == "200"
    assert "certificate verify failed" in log
    assert not any((tmp_path / "mail/new").iterdir())


@pytest.mark.parametrize("mailing", [587], indirect=True)
@pytest.mark.usefixtures("mailing")
def test_no_mail_and_no_password_goes_over_plain_text(site: Node, region: Region, tmp_path: Path) -> None:
    with mail_server(region, [site], tmp_path, "none", MAIL_SERVER):
        status, log = reset_password(site)
    assert status == "200"
    assert "STARTTLS command failed" in log
    assert not any((tmp_path / "mail/new").iterdir())
    # the server's log has every command that it gets
    commands = (tmp_path / "log").read_text()
    assert ">> b'STARTTLS'" in commands
    assert ">> b'AUTH" not in commands


def test_php_trusts_no_database_with_another_authority_or_name(node: Node, databases: Mapping[str, str]) -> None:
    flags = next(line for line in params.text("wordpress/wp-config.php").splitlines() if "MYSQL_CLIENT_FLAGS" in line)
    page = f"{params.ROOT}/tls.php"
    node.run("tee", page, stdin=f"""<?php {flags}
        mysqli_report(MYSQLI_REPORT_OFF);
        ini_set('display_errors', '1');
        $database = mysqli_init();
        $arguments = [$_GET['host'], '{NAME}', '{PASSWORD}', '{NAME}', 3306, null, MYSQL_CLIENT_FLAGS];
        echo $database->real_connect(...$arguments) ? 'connected' : 'refused';
    """)  # fmt: skip
    address = node.run("getent", "ahostsv4", databases[NAME]).split()[0]
    node.run("sh", "-c", f"echo {address} wrong.example.com >>/etc/hosts")
    answers = {
        host: ask(node, f"/tls.php?host={host}")
        for host in (databases[NAME], databases[FOREIGN_CA], databases[NO_TLS], "wrong.example.com")
    }
    node.run("rm", page)
    assert answers[databases[NAME]].endswith("\nconnected")
    assert "certificate verify failed" in answers[databases[FOREIGN_CA]]
    assert "wrong.example.com" in answers["wrong.example.com"]
    assert [answer[-7:] for answer in list(answers.values())[1:]] == ["refused"] * 3


def test_a_second_run_keeps_what_the_site_has_become(site: Node, databases: Mapping[str, str]) -> None:
    rename = "UPDATE wp_options SET option_value = REPLACE(option_value, '{}', '{}') WHERE option_name = 'blogname'"
    sql(site, databases[NAME], rename.format("site", "shop"))
    try:
        site.again("wordpress/site.sh", params.site(databases[NAME]), params.site_secrets(PASSWORD))
        assert "<title>It&#039;s a &quot;shop&quot; of $5</title>" in ask(site, "/")
    finally:
        sql(site, databases[NAME], rename.format("shop", "site"))


def test_site_takes_a_changed_setting(site: Node, databases: Mapping[str, str]) -> None:
    settings, secrets = params.site(databases[NAME]), params.site_secrets(PASSWORD)
    try:
        site.step("wordpress/site.sh", settings | {"URL": "https://www.example.org"}, secrets)
        assert "https://www.example.org" in site.run("cat", f"{params.ROOT}/wp-config.php")
    finally:
        site.step("wordpress/site.sh", settings, secrets)


def test_the_sites_user_has_rights_on_its_database_only(site: Node, databases: Mapping[str, str]) -> None:
    host = databases[NAME]
    user = f"--user={params.SITE_USER}", f"--password={params.SITE_PASSWORD}"
    assert f"define('DB_USER', '{params.SITE_USER}');" in site.run("cat", f"{params.ROOT}/wp-config.php")
    sql(site, host, "CREATE DATABASE other")
    try:
        assert sql(site, host, "SHOW DATABASES", NAME, *user).split() == ["information_schema", NAME]
        for statement in (
            "CREATE USER intruder",
            "SELECT * FROM mysql.user",
            "CREATE DATABASE mine",
            "SET GLOBAL max_connections = 1",
        ):
            with pytest.raises(ToolError, match="denied"):
                sql(site, host, statement, NAME, *user)
        # also where the server accepts clients without TLS
        assert "REQUIRE SSL" in sql(site, host, "SHOW GRANTS", NAME, *user)
    finally:
        sql(site, host, "DROP DATABASE other")


def test_the_database_accepts_no_client_without_tls(node: Node, databases: Mapping[str, str]) -> None:
    assert sql(node, databases[NAME], "SELECT 1") == "1"
    with pytest.raises(ToolError, match="insecure transport"):
        sql(node, databases[NAME], "SELECT 1", NAME, "--skip-ssl")


def test_visitors_see_503_while_the_database_is_away(site: Node) -> None:
    config = f"{params.ROOT}/wp-config.php"
    site.run("cp", "--preserve", config, "/srv/kept.php")
    site.run("sed", "-i", f"s/'{params.SITE_PASSWORD}'/'wrong'/", config)
    reload(site, "php8.4-fpm", "php-fpm: pool www")
    try:
        page = ask(site, "/")
    finally:
        site.run("cp", "--preserve", "/srv/kept.php", config)
        site.run("rm", "/srv/kept.php")
        reload(site, "php8.4-fpm", "php-fpm: pool www")
    assert "503" in page.splitlines()[0]
    assert "Retry-After: 30" in page


def test_cron_runs_on_a_timer(site: Node) -> None:
    site.step("wordpress/cron.sh", params.cron())
    assert site.run("systemctl", "is-enabled", "wordpress-cron.timer") == "enabled\n"
    site.run("systemctl", "start", "wordpress-cron.service")
    site.again("wordpress/cron.sh", params.cron())


HOLDING = """<?php
if (defined('DOING_CRON')) {
    touch(ABSPATH . 'ran-' . gethostname());
    for ($attempt = 0; $attempt < 300 && file_exists(ABSPATH . 'held'); $attempt++) {
        usleep(100000);
        clearstatcache();
    }
}
"""
"""A plugin with which scheduled work takes as long as the file `held` exists, at most 30 s."""


def test_cron_runs_on_one_node_at_a_time(site: Node, mounted: Mapping[str, Node]) -> None:
    nodes = site, mounted["gfs2"]
    nodes[1].step("web/web.sh", params.web())
    for node in nodes:
        node.step("wordpress/cron.sh", params.cron())
        node.run("systemctl", "stop", "wordpress-cron.timer")
    plugin = f"{params.ROOT}/wp-content/mu-plugins/holding.php"
    site.run("tee", plugin, stdin=HOLDING)
    site.run("touch", f"{params.ROOT}/held")
    start = "systemctl", "start", "wordpress-cron.service"
    with ThreadPoolExecutor() as pool:
        runs = [pool.submit(node.run, *start) for node in nodes]
        done, running = wait(runs, timeout=20, return_when=FIRST_COMPLETED)
        # the run that has the lock may still be loading WordPress
        site.eventually("sh", "-c", f"ls {params.ROOT}/ran-*")
        site.run("rm", f"{params.ROOT}/held", plugin)
    assert [run.exception() for run in runs] == [None, None]
    ran = site.run("sh", "-c", f"cd {params.ROOT} && ls ran-* && rm ran-*").split()
    assert (len(ran), len(done), len(running)) == (1, 1, 1)
    # the lock does not outlast the run that held it
    nodes[1].run(*start)
    for node in nodes:
        node.run("systemctl", "start", "wordpress-cron.timer")


def test_cron_refuses_a_timer_that_systemd_does_not_understand(site: Node) -> None:
    output = site.refuses("wordpress/cron.sh", params.cron() | {"TIMER": "[Timer]\n"})
    assert "wordpress-cron.timer" in output
    site.step("wordpress/cron.sh", params.cron())


def test_import_loads_files_and_database_once(old_site: Node, databases: Mapping[str, str]) -> None:
    node = old_site
    host = databases[NAME]
    sql(node, host, "CREATE DATABASE moved")
    root = directory(node, "/srv/moved")
    code = params.code(root, moved=("/srv/import-files", sum_of(node, TARBALL)))
    site = params.site(host, root, name="moved", moved=("/srv/import-database", sum_of(node, DUMP)))
    secrets = params.site_secrets(PASSWORD)
    node.run("cp", TARBALL, "/srv/import-files")
    node.run("cp", DUMP, "/srv/import-database")

    node.step("wordpress/code.sh", code)
    node.step("wordpress/site.sh", site, secrets)
    node.run("cmp", f"{root}/{PHOTO}", f"/srv/old/{PHOTO}")
    assert node.run("stat", "--format=%a %y", f"{root}/{PHOTO}").startswith("640 2020-02-02 00:00:00")
    assert node.run("readlink", f"{root}/{PHOTO}.link") == "photo.jpg\n"
    assert node.run("find", root, "!", "-user", "www-data") == ""
    blogname = "SELECT option_value FROM blog_options WHERE option_name = 'blogname'"
    assert sql(node, host, blogname, "moved") == sql(node, host, blogname.replace("blog_", "wp_"))
    assert sql(node, host, "SHOW TABLES LIKE 'wp%'", "moved") == ""
    assert "define('DB_NAME', 'moved');" in node.run("cat", f"{root}/wp-config.php")

    # changes on the new site stay
    sql(node, host, "UPDATE blog_options SET option_value = 'Moved' WHERE option_name = 'blogname'", "moved")
    node.run("rm", f"{root}/{PHOTO}", f"{root}/{PHOTO}.link")
    # without the two uploads, as the first run leaves the machine, and with them, as a new machine has them
    node.again("wordpress/code.sh", code)
    node.again("wordpress/site.sh", site, secrets)
    node.run("cp", TARBALL, "/srv/import-files")
    node.run("cp", DUMP, "/srv/import-database")
    node.step("wordpress/code.sh", code)
    node.step("wordpress/site.sh", site, secrets)
    assert sql(node, host, blogname, "moved") == "Moved"
    assert node.run("find", root, "-name", "photo.jpg") == ""


def test_import_is_refused_while_htaccess_files_protect_something(old_site: Node) -> None:
    root = directory(old_site, "/srv/protected")
    old_site.run("sh", "-c", """
        cp -a /srv/old /srv/with && mkdir /srv/with/private
        printf 'AuthType Basic\nRequire valid-user\n' >/srv/with/private/.htaccess
        tar -czf /srv/with.tar.gz -C /srv with
    """)  # fmt: skip
    settings = params.code(root, moved=("/srv/with.tar.gz", sum_of(old_site, "/srv/with.tar.gz")))
    output = old_site.refuses("wordpress/code.sh", settings)
    assert "\nprivate/.htaccess:1:AuthType Basic\nprivate/.htaccess:2:Require valid-user\n" in output
    assert old_site.run("find", root, "-mindepth", "1") == ""
    old_site.step("wordpress/code.sh", settings | {"ACCEPTED": "yes"})
    old_site.run("rm", "-r", root, "/srv/with")


def test_import_is_refused_over_an_existing_site(old_site: Node, databases: Mapping[str, str]) -> None:
    node, host = old_site, databases[NAME]
    before, tables = node.state(), sql(node, host, "CHECKSUM TABLE wp_posts, wp_users, wp_options")
    output = node.refuses("wordpress/code.sh", params.code(moved=(TARBALL, sum_of(node, TARBALL))))
    assert "holds a site already" in output
    output = node.refuses(
        "wordpress/site.sh", params.site(host, moved=(DUMP, sum_of(node, DUMP))), params.site_secrets(PASSWORD)
    )
    assert "the database has tables already; nothing was loaded" in output
    assert node.state() == before
    assert sql(node, host, "CHECKSUM TABLE wp_posts, wp_users, wp_options") == tables
    assert sql(node, host, "SHOW TABLES LIKE 'blog%'") == ""


def test_code_leaves_a_foreign_site_alone(old_site: Node) -> None:
    node = old_site
    node.run("chown", "-R", "www-data:", "/srv/old")
    before = node.state()
    assert "holds a site that this program did not put there" in node.refuses(
        "wordpress/code.sh", params.code("/srv/old")
    )
    assert node.state() == before


def test_code_comes_from_an_archive_with_the_right_sum(old_site: Node) -> None:
    node = old_site
    root = directory(node, "/srv/archive")
    source = f"file://{TARBALL}"
    output = node.refuses("wordpress/code.sh", params.code(root, archive=(source, "0" * 64)))
    assert f"The archive at {source} does not have the checksum {'0' * 64}" in output
    assert node.run("find", root, "-mindepth", "1") == ""
    settings = params.code(root, archive=(source, sum_of(node, TARBALL)))
    node.step("wordpress/code.sh", settings)
    node.run("cmp", f"{root}/wp-load.php", "/usr/share/wordpress/wp-load.php")
    assert PASSWORD not in node.run("sh", "-c", f"cat {root}/wp-config.php 2>&1 || true")
    node.again("wordpress/code.sh", settings)


def test_code_refuses_what_is_not_wordpress(node: Node) -> None:
    root = directory(node, "/srv/else")
    node.run("tar", "-czf", "/srv/else.tar.gz", "-C", "/etc", "hosts")
    settings = params.code(root, archive=("file:///srv/else.tar.gz", sum_of(node, "/srv/else.tar.gz")))
    assert "has no wp-load.php" in node.refuses("wordpress/code.sh", settings)
    assert node.run("find", root, "-mindepth", "1") == ""


@pytest.mark.parametrize(
    ("what", "reason"),
    [
        ("wrong password", "Access denied for user"),
        ("wrong authority", "certificate signature failure"),
        ("no TLS", "SSL is required"),
        ("no server", "Can't connect to server"),
    ],
)
def test_site_refuses_a_database(refused: Mapping[str, Future[str]], what: str, reason: str) -> None:
    output = refused[what].result()
    assert reason in output
    assert "does not let this machine in" in output
    assert PASSWORD not in output
    assert PASSWORD[::-1] not in output
