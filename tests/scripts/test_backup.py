"""The steps of backup/: a site whose files and tables an attacker deletes comes back from object storage."""

from __future__ import annotations

import json
import secrets
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from botocore.exceptions import ClientError

from components.backup.backup import HOME, SECRETS, backup_params, program_params
from components.cloud.aws.bucket import objects_policy
from components.cloud.aws.database import NAME
from components.config.settings import Backup
from rehearsal.region.object_storage import Account, Address, ObjectStorage, Statement
from rehearsal.region.region import Region
from rehearsal.system.shell import ToolError
from tests.scripts import params
from tests.scripts.conftest import PASSWORD
from tests.scripts.node import Node
from tests.scripts.test_wordpress import sql

ADDRESS = Address("https://s3.us-east-1.amazonaws.com", "us-east-1", hosted="s3.dualstack.us-east-1.amazonaws.com")
ACCOUNT = Account("AKIDBACKUP", "secret $of 'the' key")
REPOSITORY_PASSWORD = "correct $horse 'battery' \"staple\""
BACKUP = Backup.model_validate({"keep": {"daily": 2}})
BUCKET = "site-backups"
UPLOADS = f"{params.ROOT}/wp-content/uploads"
STATE = f"{params.ROOT}/.ha-wordpress"
NEW_URL = "http://new.example.com"
NEW_PASSWORD = "another $horse 'battery'"
SUMS = f"cd {params.ROOT} && find . -path ./.ha-wordpress -prune -o -type f -print0 | sort -z | xargs -0 sha256sum"
LINKS = f"cd {params.ROOT} && find . -path ./.ha-wordpress -prune -o -printf '%p %y %m %U %G %l\\n' | sort"


def step(
    host: str, root: str = params.ROOT, bucket: str = BUCKET, **changes: str
) -> tuple[dict[str, str], dict[str, str]]:
    """Parameters and secrets of backup.sh. `host`: the database's; `changes`: other secrets."""
    given = {
        **backup_params(root, BACKUP),
        "RESTIC_REPOSITORY": f"s3:{ADDRESS.url}/{bucket}",
        "AWS_ACCESS_KEY_ID": ACCOUNT.access_key_id,
        "ACCESS_DELAY": "0",
        "DB_HOST": f"{host}:3306",
        "DB_NAME": NAME,
        "DB_USER": params.SITE_USER,
    }
    hidden = {
        "RESTIC_PASSWORD": REPOSITORY_PASSWORD,
        "AWS_SECRET_ACCESS_KEY": ACCOUNT.secret_access_key,
        "DB_PASSWORD": params.SITE_PASSWORD,
    }
    return given, hidden | changes


def new_site(host: str, moment: str = "latest", **changes: str) -> tuple[dict[str, str], dict[str, str]]:
    """Parameters and secrets of site.sh in a new stack that begins with a backup.

    `host`: the database's. `moment`: the backup's, or empty. `changes`: other parameters.
    """
    given = {
        **params.site(host),
        **program_params(params.ROOT, BACKUP),
        "RESTIC_REPOSITORY": f"s3:{ADDRESS.url}/{BUCKET}",
        "AWS_ACCESS_KEY_ID": ACCOUNT.access_key_id,
        "RESTORE": moment,
        "URL": NEW_URL,
    }
    hidden = {
        **params.site_secrets(PASSWORD),
        "ADMIN_PASSWORD": NEW_PASSWORD,
        "RESTIC_PASSWORD": REPOSITORY_PASSWORD,
        "AWS_SECRET_ACCESS_KEY": ACCOUNT.secret_access_key,
    }
    return given | changes, hidden


@pytest.fixture(scope="module")
def storage(region: Region) -> ObjectStorage:
    """The object storage, with an empty bucket."""
    storage = region.object_storage(ADDRESS)
    storage.new_bucket(BUCKET)
    storage.permit(BUCKET, rights(ACCOUNT, BUCKET))
    return storage


def rights(account: Account, bucket: str) -> list[Statement]:
    """Those that the program gives the nodes of a stack on Amazon."""
    statements = json.loads(objects_policy(f"arn:aws:s3:::{bucket}"))["Statement"]
    return [Statement(account, each["Action"], each["Resource"]) for each in statements]


@pytest.fixture(scope="module")
def sites(mounted: Mapping[str, Node], databases: Mapping[str, str], storage: ObjectStorage) -> Mapping[str, Node]:
    """Three nodes with a site and its backups."""
    first, *others = mounted.values()
    for node in mounted.values():
        node.step("web/web.sh", params.web())
    first.step("wordpress/code.sh", params.code())
    first.step("wordpress/site.sh", params.site(databases[NAME]), params.site_secrets(PASSWORD))
    assert not storage.objects(BUCKET)
    for node in (first, *others):
        node.step("backup/backup.sh", *step(databases[NAME]))
        # a test decides when a backup is made
        node.run("systemctl", "stop", "site-backup.timer")
    return mounted


def back_up(node: Node) -> None:
    node.run("systemctl", "start", "site-backup")


def log(node: Node) -> str:
    node.run("journalctl", "--sync")
    return node.run("journalctl", "--unit=site-backup", "--lines=20", "--output=cat", "--quiet")


def restic(node: Node, *words: str) -> str:
    command = f'set -a; eval "$(cat {SECRETS})"; exec restic --no-cache "$@"'
    return node.run("bash", "-c", command, "bash", *words)


def write(node: Node, name: str, size: int = 200_000) -> None:
    node.plant(f"mkdir -p {UPLOADS}/2026", f"head -c {size} /dev/urandom >{UPLOADS}/2026/{name}")


def test_a_second_step_changes_nothing(sites: Mapping[str, Node], databases: Mapping[str, str]) -> None:
    node = sites["gfs1"]
    node.run("systemctl", "start", "site-backup.timer")
    node.again("backup/backup.sh", *step(databases[NAME]))
    assert node.run("systemctl", "is-enabled", "site-backup.timer") == "enabled\n"
    assert node.run("stat", "--format=%U %a", SECRETS) == "root 600\n"
    node.run("systemctl", "stop", "site-backup.timer")


def test_all_that_an_attacker_deletes_comes_back(
    sites: Mapping[str, Node], databases: Mapping[str, str], storage: ObjectStorage
) -> None:
    first, other = sites["gfs1"], sites["gfs2"]
    write(first, "photo.jpg")
    first.plant(f"ln -sf /etc/shadow {UPLOADS}/link", f"chmod 640 {UPLOADS}/2026/photo.jpg")
    host = databases[NAME]
    sql(first, host, "UPDATE wp_posts SET post_title = 'It''s ü 100% \"safe\"' WHERE ID = 1")
    sql(first, host, "CREATE OR REPLACE VIEW titles AS SELECT post_title FROM wp_posts")
    before, links = first.run("sh", "-c", SUMS), first.run("sh", "-c", LINKS)
    posts = sql(first, host, "SELECT * FROM wp_posts")
    back_up(first)
    assert storage.objects(BUCKET)
    first.plant(
        f"cd {params.ROOT} && rm -rf wp-content wp-config.php index.php .ha-wordpress",
        f"echo '<?php' >{params.ROOT}/shell.php",
    )
    tables = sql(first, host, "SHOW TABLES").split()
    sql(first, host, "SET FOREIGN_KEY_CHECKS = 0; DROP VIEW titles; DROP TABLE "
        + ", ".join(table for table in tables if table != "titles") + "; CREATE TABLE `at``tack` (x INT)")  # fmt: skip
    first.run("sh", "-c", "rm -rf /var/lib/ha-wordpress/backup/*")
    begun = time.monotonic()
    other.run("site-restore", "latest")
    print(f"{len(before.splitlines())} files and {len(tables)} tables: {time.monotonic() - begun:.1f} s")  # noqa: T201
    assert first.run("sh", "-c", SUMS) == before
    assert first.run("sh", "-c", LINKS) == links
    assert sorted(sql(first, host, "SHOW TABLES").split()) == sorted(tables)
    assert sql(first, host, "SELECT * FROM wp_posts") == posts
    assert first.run("sh", "-c", "ls /var/lib/ha-wordpress/backup") == ""
    assert "code" in first.run("ls", f"{params.ROOT}/.ha-wordpress").split()


def test_a_path_and_a_table_come_back_alone(sites: Mapping[str, Node], databases: Mapping[str, str]) -> None:
    node, host = sites["gfs1"], databases[NAME]
    write(node, "one.jpg")
    digest = node.run("sha256sum", f"{UPLOADS}/2026/one.jpg")
    sql(node, host, "INSERT INTO wp_options (option_name, option_value) VALUES ('mark', '1')")
    back_up(node)
    moment = node.run("date", "--utc", "+%FT%TZ").strip()
    write(node, "two.jpg")
    node.plant(f"rm {UPLOADS}/2026/one.jpg")
    sql(node, host, "DELETE FROM wp_options WHERE option_name = 'mark'; UPDATE wp_posts SET post_title = 'newer'")
    back_up(node)
    node.run("site-restore", moment, "path", "wp-content/uploads/2026/one.jpg")
    assert node.run("sha256sum", f"{UPLOADS}/2026/one.jpg") == digest
    assert node.run("ls", f"{UPLOADS}/2026/two.jpg")
    node.run("site-restore", moment, "table", "wp_options")
    assert sql(node, host, "SELECT option_value FROM wp_options WHERE option_name = 'mark'") == "1"
    assert "newer" in sql(node, host, "SELECT post_title FROM wp_posts")
    for words, error in {
        (moment, "path", "no/such"): "has no no/such",
        (moment, "table", "no_such"): "has no table no_such",
        ("2020-01-01",): "There is no backup from before 2020-01-01",
        ("soon-ish",): "is not a time",
        ("latest", "tables"): "site-restore MOMENT path PATH",
    }.items():
        with pytest.raises(ToolError, match=error):
            node.run("site-restore", *words)


def test_nodes_that_start_together_make_one_backup(sites: Mapping[str, Node]) -> None:
    before = restic(sites["gfs1"], "snapshots", "--json").count('"short_id"')
    # large enough to be still at work when the last node starts
    write(sites["gfs1"], "large.bin", 30_000_000)
    for node in sites.values():
        node.run("systemctl", "start", "--no-block", "site-backup")
    for node in sites.values():
        node.eventually("sh", "-c", "! systemctl is-active site-backup | grep -q activating", within=90)
        node.run("sh", "-c", "! systemctl is-failed --quiet site-backup")
    logs = [log(node) for node in sites.values()]
    assert sum("Another node has backed up" in text for text in logs) == 2, logs
    assert restic(sites["gfs1"], "snapshots", "--json").count('"short_id"') == before + 1
    for node in sites.values():
        assert time.time() - float(node.run("stat", "--format=%Y", f"{HOME}/made")) < 120


def test_no_link_leads_a_backup_or_a_restoration_out_of_the_site(
    sites: Mapping[str, Node], databases: Mapping[str, str]
) -> None:
    node = sites["gfs1"]
    write(node, "photo.jpg")
    back_up(node)
    moved = f"{UPLOADS}/2026"
    node.plant(f"rm -rf {moved}", f"ln -s /srv/outside {moved}", f"ln -sf /etc {STATE}/up")
    protected = node.protected()
    with pytest.raises(ToolError, match="is a link"):
        node.run("site-restore", "latest", "path", "wp-content/uploads/2026/photo.jpg")
    assert node.protected() == protected
    back_up(node)
    assert restic(node, "ls", "--quiet", "latest", f"{STATE}/up") == f"{STATE}/up\n"
    node.run("site-restore", "latest")
    assert node.protected() == protected
    node.plant(f"rm {STATE}/up {moved}")


@pytest.mark.parametrize("secret", ["RESTIC_PASSWORD", "AWS_SECRET_ACCESS_KEY"])
def test_a_wrong_secret_is_refused(sites: Mapping[str, Node], databases: Mapping[str, str], secret: str) -> None:
    node = sites["gfs3"]
    output = node.refuses("backup/backup.sh", *step(databases[NAME], **{secret: secrets.token_hex(8)}))
    assert f"The repository of the backups at s3:{ADDRESS.url}/{BUCKET} cannot be opened" in output
    assert not [word for word in (REPOSITORY_PASSWORD, ACCOUNT.secret_access_key) if word in output]
    node.step("backup/backup.sh", *step(databases[NAME]))


def test_a_backup_that_fails_names_its_reason(sites: Mapping[str, Node], storage: ObjectStorage) -> None:
    node = sites["gfs1"]
    (config,) = [path for path in storage.objects(BUCKET) if path.name == "config"]
    aside = config.with_name("aside")
    config.rename(aside)
    try:
        with pytest.raises(ToolError):
            back_up(node)
        assert node.run("sh", "-c", "systemctl is-failed site-backup") == "failed\n"
        assert "repository does not exist" in log(node)
    finally:
        Path(aside).rename(config)
    back_up(node)


def test_a_role_backs_up_without_a_key_and_destroys_no_backup(
    sites: Mapping[str, Node], databases: Mapping[str, str], region: Region, storage: ObjectStorage
) -> None:
    node, bucket, account = sites["gfs2"], "own-backups", Account.new("AKIA")
    (machine,) = [key for key, machine in region.machines.items() if machine.name == "gfs2"]
    storage.new_bucket(bucket)
    storage.set_versioning(bucket, "Enabled")
    storage.permit(bucket, rights(account, bucket))
    given, hidden = step(databases[NAME], bucket=bucket)
    del given["AWS_ACCESS_KEY_ID"], hidden["AWS_SECRET_ACCESS_KEY"]
    assert "no credentials found" in node.refuses("backup/backup.sh", given, hidden)
    region.roles["backups"] = account
    # as a new permission, which takes effect when the step has begun
    timer = threading.Timer(5, region.set_role, (machine, "backups"))
    timer.start()
    node.step("backup/backup.sh", {**given, "ACCESS_DELAY": "60"}, hidden)
    timer.join()
    node.again("backup/backup.sh", given, hidden)
    assert "AWS_" not in node.run("cat", SECRETS)
    write(node, "kept.jpg")
    digest = node.run("sha256sum", f"{UPLOADS}/2026/kept.jpg")
    back_up(node)

    attacker = storage.client_of(account)
    for object_ in storage.client.list_objects_v2(Bucket=bucket)["Contents"]:
        attacker.delete_object(Bucket=bucket, Key=object_["Key"])
    versions = storage.client.list_object_versions(Bucket=bucket)
    for version in versions["Versions"]:
        with pytest.raises(ClientError, match="AccessDenied"):
            attacker.delete_object(Bucket=bucket, Key=version["Key"], VersionId=version["VersionId"])
    with pytest.raises(ClientError, match="AccessDenied"):
        attacker.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Suspended"})
    with pytest.raises(ClientError, match="AccessDenied"):
        attacker.list_objects_v2(Bucket=BUCKET)
    node.plant(f"rm {UPLOADS}/2026/kept.jpg")
    with pytest.raises(ToolError):
        node.run("site-restore", "latest")
    # as in docs/operations.md
    for marker in [each for each in versions["DeleteMarkers"] if not each["Key"].startswith("locks/")]:
        storage.client.delete_object(Bucket=bucket, Key=marker["Key"], VersionId=marker["VersionId"])
    node.run("site-restore", "latest")
    assert node.run("sha256sum", f"{UPLOADS}/2026/kept.jpg") == digest


LOGIN = f"require '{params.ROOT}/wp-load.php'; exit(is_wp_error(wp_authenticate($argv[1], $argv[2])) ? 1 : 0);"
CONTENT = f"cd {params.ROOT} && find . -type f ! -path './.ha-wordpress/*' ! -name wp-config.php -print0"


SERVED = (
    """[ "$(curl --silent --output /dev/null --write-out '%{http_code}' --max-time 30 http://127.0.0.1/)" = 200 ]"""
)


def logs_in(node: Node, user: str, password: str) -> bool:
    done = node.run(
        "sh",
        "-c",
        'setpriv --reuid=www-data --clear-groups php -r "$@" && echo yes || true',
        "sh",
        LOGIN,
        user,
        password,
    )
    return done.endswith("yes\n")


def content(node: Node) -> str:
    """The checksums of the site's files, without wp-config.php, which is each stack's own."""
    return node.run("sh", "-c", f"{CONTENT} | sort -z | xargs -0 --no-run-if-empty sha256sum")


def is_served(node: Node) -> bool:
    return node.run("sh", "-c", f"{SERVED} && echo yes || echo no") == "yes\n"


def posts(node: Node, host: str) -> str:
    return sql(node, host, "SELECT * FROM wp_posts")


def delete_all(node: Node, host: str) -> None:
    """Leave what a new stack has: an empty volume and an empty database."""
    node.run("sh", "-c", f"cd {params.ROOT} && find . -mindepth 1 -delete")
    sql(node, host, "DROP VIEW IF EXISTS titles")
    if tables := sql(node, host, "SHOW TABLES").split():
        sql(node, host, f"SET FOREIGN_KEY_CHECKS = 0; DROP TABLE {', '.join(tables)}")


@pytest.fixture
def own_disk(sites: Mapping[str, Node]) -> Iterator[Node]:
    """A node with the site on its own disk, which restores thousands of files in seconds."""
    node = sites["gfs1"]
    node.run("sh", "-c", f"[ -e /srv/site ] || cp -a {params.ROOT} /srv/site; mount --bind /srv/site {params.ROOT}")
    yield node
    node.run("umount", "--lazy", params.ROOT)


@pytest.fixture
def backed_up(own_disk: Node, databases: Mapping[str, str]) -> tuple[str, str]:
    """A backup of that site, after which files and tables are gone; the checksums of the files, and the posts."""
    write(own_disk, "photo.jpg")
    before = content(own_disk), posts(own_disk, databases[NAME])
    back_up(own_disk)
    delete_all(own_disk, databases[NAME])
    return before


def test_a_new_site_begins_with_a_backup_once(
    own_disk: Node, databases: Mapping[str, str], backed_up: tuple[str, str]
) -> None:
    node, host = own_disk, databases[NAME]
    moment = node.run("date", "--utc", "+%FT%TZ").strip()
    # as after a ban before the site was there
    node.run("sh", "-c", f"mkdir -p -m 700 {STATE}/bans; chmod 755 {STATE}")
    begun = time.monotonic()
    node.step("wordpress/site.sh", *new_site(host))
    print(f"a new site: {time.monotonic() - begun:.1f} s")  # noqa: T201
    assert (content(node), posts(node, host)) == backed_up
    roots = node.run("find", params.ROOT, "!", "-user", "www-data").split()
    assert sorted(roots) == [f"{STATE}/backup", f"{STATE}/bans"]
    assert node.run("cat", f"{STATE}/restoration") == "done latest\n"
    # a missing wp-config.php is remembered for some seconds
    node.eventually("sh", "-c", SERVED)
    assert NEW_URL in node.run("cat", f"{params.ROOT}/wp-config.php")
    assert logs_in(node, "admin", NEW_PASSWORD)
    assert not logs_in(node, "admin", params.ADMIN_PASSWORD)
    node.again("wordpress/site.sh", *new_site(host))

    # what is changed afterwards stays, also on a new machine, which needs no way to the backups
    write(node, "later.jpg")
    sql(node, host, "UPDATE wp_posts SET post_title = 'later' WHERE ID = 1")
    before = content(node), posts(node, host)
    node.run("rm", "-r", HOME, "/usr/local/lib/ha-wordpress/site-backup")
    given, hidden = new_site(host, RESTIC_REPOSITORY="s3:https://nowhere.rehearsal.test/gone")
    node.step("wordpress/site.sh", given, hidden | {"ADMIN_PASSWORD": "a third one"})
    output = node.refuses("wordpress/site.sh", *new_site(host, "2026-11-30T08:00:00Z"))
    assert "the site began with the backup of latest. Nothing was changed." in output
    assert (content(node), posts(node, host)) == before
    assert logs_in(node, "admin", NEW_PASSWORD)
    # nor is the site new after a restoration in place, of a backup from before; it gets its wp-config.php again
    node.run("site-restore", moment)
    assert NEW_URL not in node.run("cat", f"{params.ROOT}/wp-config.php")
    node.step("wordpress/site.sh", *new_site(host))
    assert NEW_URL in node.run("cat", f"{params.ROOT}/wp-config.php")
    assert content(node) == backed_up[0]


INTERRUPTIONS = {
    "files": (
        "restic",
        r"""
        if [ "$1" = restore ]; then
            /usr/bin/restic "$@" &
            until [ "$(find /var/www/html -name '*.php' | wc -l)" -gt 50 ]; do sleep 0.05; done
            kill -KILL 0
        fi
        exec /usr/bin/restic "$@"
        """,
    ),
    "tables": (
        "mariadb",
        r"""
        [[ " $* " != *" --execute "* ]] || exec /usr/bin/mariadb "$@"
        IFS= read -r first
        if [[ $first = "SET FOREIGN_KEY_CHECKS"* ]] || [ "$(id -u)" = 0 ]; then
            { echo "$first"; cat; } | /usr/bin/mariadb "$@"
            exit
        fi
        { echo "$first"; head -n 150; } | /usr/bin/mariadb "$@"
        exit 9
        """,
    ),
    "password": ("php", '[[ $* != *install.php* ]] || exit 9\nexec /usr/bin/php "$@"'),
}
"""A command that ends the step half-way through a part of the restoration, and its text."""


@pytest.mark.parametrize("part", INTERRUPTIONS)
def test_an_interrupted_restoration_begins_again_and_is_served_when_it_is_whole(
    own_disk: Node, databases: Mapping[str, str], backed_up: tuple[str, str], part: str
) -> None:
    node, host = own_disk, databases[NAME]
    command, text = INTERRUPTIONS[part]
    wrapper = f"/usr/local/sbin/{command}"
    node.run("sh", "-c", f"cat >{wrapper}; chmod 755 {wrapper}", stdin=f"#!/bin/bash\n{text}")
    try:
        with pytest.raises(AssertionError, match="exit status"):
            node.step("wordpress/site.sh", *new_site(host))
    finally:
        node.run("rm", wrapper)
    if part != "password":
        assert node.run("cat", f"{STATE}/restoration") == "begun latest\n"
        assert content(node) != backed_up[0] or "wp_users" not in sql(node, host, "SHOW TABLES")
        assert "wp-config.php" not in node.run("ls", params.ROOT).split()
        assert not is_served(node)
        # without the setting, no fresh site mixes with what is there
        output = node.refuses("wordpress/site.sh", *new_site(host, ""))
        assert "A restoration has not ended" in output
        assert not is_served(node)
    node.step("wordpress/site.sh", *new_site(host))
    assert (content(node), posts(node, host)) == backed_up
    node.eventually("sh", "-c", SERVED)
    assert logs_in(node, "admin", NEW_PASSWORD)
    assert node.run("cat", f"{STATE}/restoration") == "done latest\n"


def test_no_backup_is_restored_over_a_site_that_is_there(
    sites: Mapping[str, Node], databases: Mapping[str, str]
) -> None:
    node, host = sites["gfs1"], databases[NAME]
    write(node, "kept.jpg")
    node.run("rm", "-f", f"{STATE}/restoration")
    before = content(node), posts(node, host)
    output = node.refuses("wordpress/site.sh", *new_site(host))
    assert f"{params.ROOT} or the database {NAME} is not empty. Nothing was changed." in output
    assert (content(node), posts(node, host)) == before


def test_a_new_site_without_its_backup_stays_empty(
    own_disk: Node, databases: Mapping[str, str], storage: ObjectStorage, backed_up: tuple[str, str]
) -> None:
    node, host = own_disk, databases[NAME]
    storage.new_bucket("empty")
    storage.permit("empty", rights(ACCOUNT, "empty"))
    empty = f"s3:{ADDRESS.url}/empty"
    for error, given in {
        f"The repository of the backups at {empty} cannot be opened": new_site(host, RESTIC_REPOSITORY=empty),
        "There is no backup from before 2020-01-01T00:00:00Z": new_site(host, "2020-01-01T00:00:00Z"),
    }.items():
        assert error in node.refuses("wordpress/site.sh", *given)
        assert content(node) + sql(node, host, "SHOW TABLES") == ""
    assert not storage.objects("empty")
    # either alone is a site that is there
    node.plant(f"touch {params.ROOT}/index.html")
    assert "is not empty" in node.refuses("wordpress/site.sh", *new_site(host))
    node.plant(f"rm {params.ROOT}/index.html")
    sql(node, host, "CREATE TABLE other (x INT)")
    assert "is not empty" in node.refuses("wordpress/site.sh", *new_site(host))
    sql(node, host, "DROP TABLE other")
    node.step("wordpress/site.sh", *new_site(host))
    assert content(node) == backed_up[0]


def test_a_restored_site_has_the_administrator_of_the_settings(
    sites: Mapping[str, Node], databases: Mapping[str, str]
) -> None:
    node, host = sites["gfs1"], databases[NAME]

    def loaded(**changes: str) -> tuple[dict[str, str], dict[str, str]]:
        node.plant(f"echo loaded latest >{STATE}/restoration")
        return new_site(host, **changes)

    node.step("wordpress/site.sh", *loaded(ADMIN_USER="newcomer", ADMIN_EMAIL="newcomer@example.com"))
    assert logs_in(node, "newcomer", NEW_PASSWORD)
    added = "SELECT meta_value FROM wp_usermeta JOIN wp_users ON ID = user_id WHERE user_login = 'newcomer'"
    assert "administrator" in sql(node, host, f"{added} AND meta_key = 'wp_capabilities'")
    output = node.refuses("wordpress/site.sh", *loaded(ADMIN_USER="third"))
    assert "the backup has no user third, and none can be added: Sorry, that email address is already used!" in output
    sql(node, host, """UPDATE wp_usermeta JOIN wp_users ON ID = user_id SET meta_value = 'a:1:{s:6:"author";b:1;}'
        WHERE user_login = 'newcomer' AND meta_key = 'wp_capabilities'""")  # fmt: skip
    output = node.refuses("wordpress/site.sh", *loaded(ADMIN_USER="newcomer"))
    assert "the backup has a user newcomer who is not an administrator" in output
    assert node.run("cat", f"{STATE}/restoration") == "loaded latest\n"
    sql(
        node,
        host,
        "DELETE wp_usermeta, wp_users FROM wp_users JOIN wp_usermeta ON ID = user_id WHERE user_login = 'newcomer'",
    )
    node.step("wordpress/site.sh", *new_site(host))
