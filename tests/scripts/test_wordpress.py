"""The steps of wordpress/, on a node with the volume and PHP: each test needs the ones before it.

Sites beside the first one are on the node's own disk, which the steps cannot tell from a mount.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from components.cloud.aws.database import NAME
from rehearsal.system.shell import ToolError
from tests.scripts import params
from tests.scripts.conftest import FOREIGN_CA, NO_TLS, PASSWORD
from tests.scripts.node import Node
from tests.scripts.test_web import ask

STATE = ".ha-wordpress"
PHOTO = "wp-content/uploads/2013/05/photo.jpg"
TARBALL = "/srv/site.tar.gz"
DUMP = "/srv/site.sql"


@pytest.fixture(scope="module")
def node(mounted: Mapping[str, Node]) -> Node:
    node = mounted["gfs1"]
    node.step("web/web.sh", params.web())
    return node


@pytest.fixture(scope="module")
def refused(node: Node, databases: Mapping[str, str]) -> Iterator[dict[str, Future[str]]]:
    """What site.sh says of databases that do not let it in: each takes it a minute, and the tests go on meanwhile."""
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
    """What the database answers to a statement."""
    words = ["mariadb", f"--host={host}", f"--user={NAME}", f"--password={PASSWORD}", "--batch", "--skip-column-names"]
    return node.run(*words, "--ssl", *options, f"--execute={statement}", name).strip()


def directory(node: Node, path: str) -> str:
    """A new document root on the node's own disk."""
    node.run("install", "--directory", "--owner=www-data", "--group=www-data", path)
    return path


def sum_of(node: Node, file: str) -> str:
    return node.run("sha256sum", file).split()[0]


@pytest.mark.usefixtures("refused")
def test_code_is_debians_and_belongs_to_the_web_server(node: Node) -> None:
    node.step("wordpress/code.sh", params.code())
    version = "sed -n \"s/^.wp_version = '\\(.*\\)';/\\1/p\""
    ours = node.run("sh", "-c", f"{version} {params.ROOT}/wp-includes/version.php").strip()
    assert ours
    assert node.run("dpkg-query", "--show", "--showformat=${Version}", "wordpress").startswith(ours)
    assert node.run("find", params.ROOT, "!", "-user", "www-data") == ""
    assert node.run("find", params.ROOT, "-type", "l") == ""
    packaged = node.run("sh", "-c", "find -L /usr/share/wordpress -type f ! -name wp-config.php | wc -l")
    assert node.run("sh", "-c", f"find {params.ROOT} -type f ! -path '*/{STATE}/*' | wc -l") == packaged
    node.again("wordpress/code.sh", params.code())


def test_code_goes_on_where_it_was_interrupted(node: Node) -> None:
    root = directory(node, "/srv/interrupted")
    node.run("sh", "-c", f"cd {root} && mkdir {STATE} && touch {STATE}/copying wp-load.php && chown -R www-data: .")
    node.step("wordpress/code.sh", params.code(root))
    node.run("cmp", f"{root}/wp-load.php", "/usr/share/wordpress/wp-load.php")
    assert node.run("ls", f"{root}/{STATE}") == "code\n"
    node.run("rm", "-r", root)


def test_site_is_installed_once_and_answers(node: Node, databases: Mapping[str, str]) -> None:
    given, secrets = params.site(databases[NAME]), params.site_secrets(PASSWORD)
    node.step("wordpress/site.sh", given, secrets)
    page = ask(node, "/")
    assert "200 OK" in page.splitlines()[0]
    assert "<title>It&#039;s a &quot;site&quot; of $5</title>" in page
    assert "200 OK" in ask(node, "/hello-world/").splitlines()[0]
    users = sql(node, databases[NAME], "SELECT user_login, user_email FROM wp_users")
    assert users.split() == ["admin", "admin@example.com"]
    check = f"require '{params.ROOT}/wp-load.php'; exit(is_wp_error(wp_authenticate('admin', $argv[1])) ? 1 : 0);"
    node.run("setpriv", "--reuid=www-data", "--clear-groups", "php", "-r", check, params.ADMIN_PASSWORD)
    config = f"{params.ROOT}/wp-config.php"
    assert node.run("stat", "--format=%U %a", config) == "www-data 640\n"
    assert all(salt in node.run("cat", config) for salt in params.SALTS_GIVEN.values())
    sql(node, databases[NAME], "UPDATE wp_options SET option_value = 'Changed' WHERE option_name = 'blogname'")
    node.again("wordpress/site.sh", given, secrets)
    assert "<title>Changed</title>" in ask(node, "/")


def test_site_takes_a_changed_setting(node: Node, databases: Mapping[str, str]) -> None:
    given, secrets = params.site(databases[NAME]), params.site_secrets(PASSWORD)
    node.step("wordpress/site.sh", given | {"URL": "https://www.example.org"}, secrets)
    assert "https://www.example.org" in node.run("cat", f"{params.ROOT}/wp-config.php")
    node.step("wordpress/site.sh", given, secrets)


def test_the_database_lets_nobody_in_without_tls(node: Node, databases: Mapping[str, str]) -> None:
    assert sql(node, databases[NAME], "SELECT 1") == "1"
    with pytest.raises(ToolError, match="Access denied"):
        sql(node, databases[NAME], "SELECT 1", NAME, "--skip-ssl")


def test_visitors_see_503_while_the_database_is_away(node: Node) -> None:
    config = f"{params.ROOT}/wp-config.php"
    node.run("cp", "--preserve", config, "/srv/kept.php")
    node.run("sed", "-i", f"s/'{PASSWORD}'/'wrong'/", config)
    node.run("systemctl", "reload", "php8.2-fpm")
    page = ask(node, "/")
    node.run("cp", "--preserve", "/srv/kept.php", config)
    node.run("rm", "/srv/kept.php")
    node.run("systemctl", "reload", "php8.2-fpm")
    assert "503" in page.splitlines()[0]
    assert "Retry-After: 30" in page


def test_cron_runs_on_a_timer(node: Node) -> None:
    node.step("wordpress/cron.sh", params.cron())
    assert node.run("systemctl", "is-enabled", "wordpress-cron.timer") == "enabled\n"
    node.run("systemctl", "start", "wordpress-cron.service")
    node.again("wordpress/cron.sh", params.cron())


def test_cron_refuses_a_timer_that_systemd_does_not_understand(node: Node) -> None:
    output = node.refuses("wordpress/cron.sh", params.cron() | {"TIMER": "[Timer]\n"})
    assert "wordpress-cron.timer" in output
    node.step("wordpress/cron.sh", params.cron())


def test_import_loads_files_and_database_once(node: Node, databases: Mapping[str, str]) -> None:
    host = databases[NAME]
    node.run("sh", "-c", f"""
        cp -rL /usr/share/wordpress /srv/old && cd /srv/old && cp {params.ROOT}/wp-config.php .
        find . -type f ! -name '*.php' -delete
        mkdir -p {PHOTO.rpartition("/")[0]} && head -c 100000 /dev/urandom >{PHOTO}
        chmod 640 {PHOTO} && touch --date=2020-02-02 {PHOTO} && ln -s photo.jpg {PHOTO}.link
        tar -czf {TARBALL} -C /srv old
        mariadb-dump --ssl --host={host} --user={NAME} --password={PASSWORD} {NAME} |
            sed 's/`wp_/`blog_/g; s/wp_user_roles/blog_user_roles/' >{DUMP}
    """)  # fmt: skip
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
    assert sql(node, host, blogname, "moved") == "Changed"
    assert sql(node, host, "SHOW TABLES LIKE 'wp%'", "moved") == ""
    assert "define('DB_NAME', 'moved');" in node.run("cat", f"{root}/wp-config.php")

    # what happens on the new site from now on stays
    sql(node, host, "UPDATE blog_options SET option_value = 'Moved' WHERE option_name = 'blogname'", "moved")
    node.run("rm", f"{root}/{PHOTO}", f"{root}/{PHOTO}.link")
    # with the uploads gone, as the first run leaves them; and with them there again, as a new machine has them
    node.again("wordpress/code.sh", code)
    node.again("wordpress/site.sh", site, secrets)
    node.run("cp", TARBALL, "/srv/import-files")
    node.run("cp", DUMP, "/srv/import-database")
    node.step("wordpress/code.sh", code)
    node.step("wordpress/site.sh", site, secrets)
    assert sql(node, host, blogname, "moved") == "Moved"
    assert node.run("find", root, "-name", "photo.jpg") == ""


def test_import_is_refused_over_a_site_that_is_there(node: Node, databases: Mapping[str, str]) -> None:
    host = databases[NAME]
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


def test_code_leaves_a_site_alone_that_somebody_else_made(node: Node) -> None:
    node.run("chown", "-R", "www-data:", "/srv/old")
    before = node.state()
    assert "holds a site that this program did not put there" in node.refuses(
        "wordpress/code.sh", params.code("/srv/old")
    )
    assert node.state() == before


def test_code_comes_from_an_archive_with_the_right_sum(node: Node) -> None:
    root = directory(node, "/srv/archive")
    source = f"file://{TARBALL}"
    output = node.refuses("wordpress/code.sh", params.code(root, archive=(source, "0" * 64)))
    assert f"The archive at {source} does not have the checksum {'0' * 64}" in output
    assert node.run("find", root, "-mindepth", "1") == ""
    given = params.code(root, archive=(source, sum_of(node, TARBALL)))
    node.step("wordpress/code.sh", given)
    node.run("cmp", f"{root}/wp-load.php", "/usr/share/wordpress/wp-load.php")
    assert PASSWORD not in node.run("sh", "-c", f"cat {root}/wp-config.php 2>&1 || true")
    node.again("wordpress/code.sh", given)


def test_code_refuses_what_is_not_wordpress(node: Node) -> None:
    root = directory(node, "/srv/else")
    node.run("tar", "-czf", "/srv/else.tar.gz", "-C", "/etc", "hosts")
    given = params.code(root, archive=("file:///srv/else.tar.gz", sum_of(node, "/srv/else.tar.gz")))
    assert "has no wp-load.php" in node.refuses("wordpress/code.sh", given)
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
