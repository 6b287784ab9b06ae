"""Settings: defaults, and the error message for each wrong value."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import SecretStr

from components.cloud.aws.settings import AwsSettings
from components.config.errors import RawSettings, SettingsError
from components.config.loader import CLOUDS, parse
from components.config.settings import PortRange, Settings
from tests.unit.graph import ROOT, build, committed, text
from tests.unit.rejection import error_lines

MINIMAL: dict[str, Any] = {
    "aws:region": "us-east-1",
    "network": {"ssh_from": ["198.18.0.0/24"]},
    "site": {"admin_email": "editor@rehearsal.test"},
    "accept_plain_http": True,
}
"""The settings without a default, for a site without HTTPS."""

PLAIN_HTTP = "accept_plain_http is set: without HTTPS, passwords and pages can be read and changed on their way."
TWO = {"gfs1": {"zone": "us-east-1a"}, "gfs2": {"zone": "us-east-1b"}}
NODES = TWO | {"gfs3": {"zone": "us-east-1c"}}


MAIL: dict[str, Any] = {
    "site": MINIMAL["site"] | {"domain": "www.rehearsal.test", "smtp": {"host": "smtp.rehearsal.test", "user": "site"}},
    "smtp_password": "SECRET-password",
}
"""The changes to MINIMAL that let WordPress send mail."""


BACKUP: dict[str, Any] = {
    "backup": {"bucket": "site-backups", "access_key_id": "AKIDBACKUP"},
    "backup_secret_access_key": "SECRET-access-key",
    "backup_password": "SECRET-backup-password",
}
"""The changes to MINIMAL that back up the site to a bucket that exists."""

OWN_BUCKET: dict[str, Any] = {"backup": {"at": "hourly"}, "backup_password": BACKUP["backup_password"]}
"""The changes to MINIMAL that back up the site to a bucket of the stack's own."""


def restored(moment: str, **site: Any) -> dict[str, Any]:
    """The changes to MINIMAL that begin the site with a backup; `site`: further settings of the site."""
    return {"site": MINIMAL["site"] | {"restore": {"from": moment}} | site}


def read(**changes: Any) -> AwsSettings:
    settings = parse({name: text(value) for name, value in (MINIMAL | changes).items()})
    assert isinstance(settings, AwsSettings)
    return settings


def test_the_defaults_are_three_nodes_in_three_zones_and_mysql() -> None:
    settings = read()
    assert {name: node.zone for name, node in settings.nodes.items()} == {
        "gfs1": "us-east-1b",
        "gfs2": "us-east-1c",
        "gfs3": "us-east-1d",
    }
    assert (settings.gluster.replica, settings.gluster.arbiter) == (3, 0)
    assert (settings.database.engine, settings.database.engine_version) == ("mysql", "8.4")
    assert settings.protect_data


def test_a_secret_in_plain_text_is_refused() -> None:
    config = {name: text(value) for name, value in (MINIMAL | MAIL).items()}
    with pytest.raises(SettingsError) as refused:
        parse(config, plain=config.keys())
    (line,) = str(refused.value).splitlines()[1:]
    assert line.startswith("  smtp_password: is not encrypted in the stack's file; make a new one")
    parse(config, plain=config.keys() - {"smtp_password"})


@pytest.mark.parametrize("password", ['["a", "b"]', "[1]", '{"a": 1}', "{}"])
def test_a_password_that_looks_like_json_stays_text(password: str) -> None:
    assert read(**MAIL | {"smtp_password": password}).smtp_password.get_secret_value() == password


def test_an_empty_section_has_its_defaults() -> None:
    assert read(nodes={}, machine={}, gluster={}, database={}, balancer={}) == read()


def test_twice_the_default_ping_timeout_is_at_most_8_seconds() -> None:
    assert 2 * read().gluster.ping_timeout <= 8


def test_a_port_range_is_read() -> None:
    assert read(gluster={"ports": "50000-50099"}).gluster.ports == PortRange(50000, 50099)


def test_mariadb_has_a_default_version_of_its_own() -> None:
    assert read(database={"engine": "mariadb"}).database.engine_version == "11.4"


BALANCER = {
    "zone_id": "Z0123456789ABC",
    "certificate_arn": "arn:aws:acm:us-east-1:123456789012:certificate/x",
}
SESSIONS: dict[str, Any] = {"web": "sessions", "site": {}}
SESSIONS_MAIL: dict[str, Any] = SESSIONS | {
    "alarms": {"mail": "you@rehearsal.test", "smtp": MAIL["site"]["smtp"] | {"from": "site@rehearsal.test"}},
    "smtp_password": "SECRET-password",
}


INVALID: list[tuple[str, dict[str, Any]]] = [
    ("clod: is not a known key; did you mean cloud?", {"clod": "aws"}),
    ("gluster.replicas: is not a known key; did you mean replica?", {"gluster": {"replicas": 3}}),
    (
        "nodes.gfs1.typ: is not a known key; did you mean type?",
        {"nodes": NODES | {"gfs1": {"zone": "us-east-1a", "typ": "t3.small"}}},
    ),
    (
        "site.archive.sha265: is not a known key; did you mean sha256?",
        {
            "site": {
                "admin_email": "editor@rehearsal.test",
                "archive": {"url": "https://a.example", "sha256": "0" * 64, "sha265": "0"},
            }
        },
    ),
    ("balancer.xyz: is not a known key; use one of: zone_id, certificate_arn", {"balancer": {"xyz": 1}}),
    ("cloud: must be 'aws', 'digitalocean' or 'existing'; it is \"azure\"", {"cloud": "azure"}),
    (
        "network.cidr: 10.20.0.1/16 has host bits set; write 10.20.0.0/16",
        {"network": MINIMAL["network"] | {"cidr": "10.20.0.1/16"}},
    ),
    (
        "network.cidr: '10.20.0.0/33' is not an address range; write one such as 203.0.113.0/24",
        {"network": MINIMAL["network"] | {"cidr": "10.20.0.0/33"}},
    ),
    (
        "network.cidr: 10.20.0.0/24 is not between /16 and /21; choose a range with room for eight zones of a /24",
        {"network": MINIMAL["network"] | {"cidr": "10.20.0.0/24"}},
    ),
    ("network.ssh_from: is missing; add it", {"network": {}}),
    ("network.ssh_from: is empty; name at least one", {"network": {"ssh_from": []}}),
    (
        "network.ssh_from.0: 'everywhere' is not an address range; write one such as 203.0.113.0/24",
        {"network": {"ssh_from": ["everywhere"]}},
    ),
    (
        (
            "network.subnets: has no subnet of vpc-0123456789abcdef0 for "
            "us-east-1a, us-east-1b, us-east-1c; add one for each"
        ),
        {"network": MINIMAL["network"] | {"vpc": "vpc-0123456789abcdef0"}, "nodes": NODES},
    ),
    (
        "network.only_trusted_proxies: would close the site; add IPv4 ranges to network.trusted_proxies",
        {"network": MINIMAL["network"] | {"only_trusted_proxies": True, "trusted_proxies": ["2001:4860::/32"]}},
    ),
    (
        (
            "network.trusted_proxies: has 31 IPv4 ranges, but a security group has room for 30; "
            "name fewer and wider ranges, or omit only_trusted_proxies"
        ),
        {
            "network": MINIMAL["network"]
            | {"only_trusted_proxies": True, "trusted_proxies": [f"198.18.100.{at}" for at in range(31)]}
        },
    ),
    (
        (
            "network.trusted_proxies: a range of all addresses lets visitors name any address; "
            "name the proxies' ranges only"
        ),
        {"network": MINIMAL["network"] | {"trusted_proxies": ["::/0"]}},
    ),
    (
        "network.trusted_proxies.0: 'cdn' is not an address range; write one such as 2001:db8::/32",
        {"network": MINIMAL["network"] | {"trusted_proxies": ["cdn"]}},
    ),
    (
        "network.subnets: needs their VPC; set network.vpc too, or omit subnets",
        {"network": MINIMAL["network"] | {"subnets": {"us-east-1a": "subnet-1"}}},
    ),
    (
        "nodes.gfs1.zone: 'eu-west-1a' is not a zone of region us-east-1; write one such as us-east-1a",
        {"nodes": NODES | {"gfs1": {"zone": "eu-west-1a"}}},
    ),
    (
        (
            "nodes: 2 hold a brick, but the volume needs 3 (replica 3, arbiter 0); "
            "add or remove nodes, or change gluster.replica"
        ),
        {"nodes": {"gfs1": {"zone": "us-east-1a"}, "gfs2": {"zone": "us-east-1b"}}},
    ),
    (
        (
            "nodes: the volume's 3 bricks are in only 2 zones; put each node in its own zone, "
            "or set gluster.accept_shared_zones: true"
        ),
        {"nodes": NODES | {"gfs3": {"zone": "us-east-1b"}}},
    ),
    (
        "nodes: all are in one zone, but the load balancer and the database need two; use more zones",
        {"nodes": {name: {"zone": "us-east-1a"} for name in NODES}, "gluster": {"accept_shared_zones": True}},
    ),
    (
        "nodes.GFS1: 'GFS1' is not a name; use a-z, 0-9 and -, and begin with a letter",
        {"nodes": {"GFS1": NODES["gfs1"], "gfs2": NODES["gfs2"], "gfs3": NODES["gfs3"]}},
    ),
    (
        (
            "gluster.arbiter: two copies without an arbiter can end in split-brain; "
            "set arbiter: 1, or replica: 3, or accept_split_brain_risk: true"
        ),
        {"gluster": {"replica": 2}, "nodes": TWO},
    ),
    (
        "gluster.arbiter: GlusterFS supports an arbiter with two copies only, not with 3; set replica: 2",
        {"gluster": {"replica": 3, "arbiter": 1}, "nodes": NODES | {"gfs4": {"zone": "us-east-1d"}}},
    ),
    ("gluster.disk_gb: must be greater than or equal to 1; it is 0", {"gluster": {"disk_gb": 0}}),
    (
        "gluster.disk_gb: must be a valid integer, got a number with a fractional part; it is 2.5",
        {"gluster": {"disk_gb": 2.5}},
    ),
    ("gluster.ping_timeout: must be less than or equal to 42; it is 60", {"gluster": {"ping_timeout": 60}}),
    ("gluster.ports: 49251-49152 is reversed; write 49152-49251", {"gluster": {"ports": "49251-49152"}}),
    ("gluster.ports: 80-90 is outside 1024-65535; choose ports within that range", {"gluster": {"ports": "80-90"}}),
    (
        "gluster.ports: 60000-70000 is outside 1024-65535; choose ports within that range",
        {"gluster": {"ports": "60000-70000"}},
    ),
    ("gluster.ports: 49152 is not a port range; write one such as 49152-49251", {"gluster": {"ports": 49152}}),
    (
        "gluster.ports: 24000-24100 contains 24007, the port of glusterd; choose a range without it",
        {"gluster": {"ports": "24000-24100"}},
    ),
    (
        "gluster.volume: 'Wp!' is not a name; use a-z, 0-9, - and _, and begin with a letter",
        {"gluster": {"volume": "Wp!"}},
    ),
    ("machine.type: 'small' is not a machine type; write one such as t3.small", {"machine": {"type": "small"}}),
    (
        "machine.image: 'debian' is not an image; write one such as ami-0123456789abcdef0",
        {"machine": {"image": "debian"}},
    ),
    ("machine.root_gb: must be greater than or equal to 8; it is 4", {"machine": {"root_gb": 4}}),
    ("database.engine: must be 'mysql' or 'mariadb'; it is \"postgres\"", {"database": {"engine": "postgres"}}),
    ("database.version: must be a valid string; it is 8.4; put it in quotes", {"database": {"version": 8.4}}),
    ("database.storage_gb: must be greater than or equal to 20; it is 5", {"database": {"storage_gb": 5}}),
    (
        "database.max_storage_gb: 105 is less than 10 % above storage_gb; write 110 or more, or omit it",
        {"database": {"storage_gb": 100, "max_storage_gb": 105}},
    ),
    (
        "machine.cpu_credits: must be 'standard' or 'unlimited'; it is \"free\"",
        {"machine": {"cpu_credits": "free"}},
    ),
    (
        "machine.type: t2.small is not of the Nitro generation, which names disks by volume; write t3.small or later",
        {"machine": {"type": "t2.small"}},
    ),
    (
        (
            "aws:region: ap-southeast-7 has no database certificate in components/cloud/aws/rds-ca.pem; "
            "add the region's from Amazon's global-bundle.pem, or choose another region"
        ),
        {"aws:region": "ap-southeast-7"},
    ),
    ("database.backup_days: must be greater than or equal to 1; it is 0", {"database": {"backup_days": 0}}),
    ("database.class: 'small' is not a class; write one such as db.t4g.small", {"database": {"class": "small"}}),
    (
        (
            "balancer.certificate_arn: 'arn:aws:acm:eu-west-1:123456789012:certificate/x' "
            "is not a certificate of region us-east-1; "
            "write arn:aws:acm:us-east-1:…"
        ),
        {
            "balancer": {"certificate_arn": "arn:aws:acm:eu-west-1:123456789012:certificate/x"},
            "site": MINIMAL["site"] | {"domain": "www.rehearsal.test"},
        },
    ),
    *(
        (f"site.domain: is missing, but balancer.{key} needs it; add it", {"balancer": {key: value}})
        for key, value in BALANCER.items()
    ),
    (
        "site.domain: is missing, but balancer.zone_id needs it; add it",
        {"topology": "balancers", "balancer": {"zone_id": BALANCER["zone_id"]}},
    ),
    *(
        (f"tls.domain: is missing, but balancer.{key} needs it; add it", SESSIONS | {"balancer": {key: value}})
        for key, value in BALANCER.items()
    ),
    (
        "balancer.certificate_arn: has no effect with role: balancer; set tls, and omit it",
        {"topology": "balancers", "balancer": BALANCER, "site": MINIMAL["site"] | {"domain": "www.rehearsal.test"}},
    ),
    *(
        (
            f"{key}: needs balancers of the site's own; give two nodes role: balancer, or omit it",
            SESSIONS | {"tls": {"domain": "www.rehearsal.test"} | tls} | secret,
        )
        for key, tls, secret in (
            ("tls.certificate", {"certificate": "x"}, {}),
            ("tls_private_key", {}, {"tls_private_key": "x"}),
        )
    ),
    *(
        (
            f"balancer.zone_id: {problem}",
            {"balancer": {"zone_id": zone}, "site": MINIMAL["site"] | {"domain": "www.rehearsal.test"}},
        )
        for zone, problem in (
            ("rehearsal.test", "'rehearsal.test' is not a hosted zone; write its id, such as Z0123456789EXAMPLE"),
            (
                "Z0123456789EXAMPLE",
                "Z0123456789EXAMPLE is a placeholder; write an id that `aws route53 list-hosted-zones` prints",
            ),
        )
    ),
    ("site.admin_email: is missing; add it", {"site": {}}),
    (
        "site.admin_email: 'editor' is not an e-mail address; write one such as editor@example.com",
        {"site": {"admin_email": "editor"}},
    ),
    *(
        (
            f"network.ssh_from.0: {network} is for documentation only (RFC 5737); write your own",
            {"network": {"ssh_from": [network]}},
        )
        for network in ("192.0.2.0/25", "198.51.100.7/32", "203.0.113.0/24")
    ),
    *(
        (f"{place}.0: {network} is for documentation only ({source}); write your own", changes)
        for network, source in (
            ("203.0.113.0/24", "RFC 5737"),
            ("2001:db8:1::/48", "RFC 3849"),
            ("3fff::1/128", "RFC 9637"),
        )
        for place, changes in (
            ("bans.ignore", {"bans": {"ignore": [network]}}),
            ("network.trusted_proxies", {"network": MINIMAL["network"] | {"trusted_proxies": [network]}}),
        )
    ),
    *(
        (
            f"site.domain: {domain} is for documentation only (RFC 2606); write your own",
            {"site": MINIMAL["site"] | {"domain": domain}},
        )
        for domain in ("example.com", "www.example.org", "shop.example")
    ),
    (
        "site.admin_email: editor@example.net is for documentation only (RFC 2606); write your own",
        {"site": {"admin_email": "editor@example.net"}},
    ),
    (
        "smtp_password: is missing, but site.smtp needs it; set it with: pulumi config set --secret smtp_password",
        {"site": MAIL["site"]},
    ),
    (
        "smtp_password: needs its server; add site.smtp, or remove it with: pulumi config rm smtp_password",
        {"smtp_password": "SECRET-password"},
    ),
    (
        "site.smtp.from: is missing, and without site.domain mail has no sender; add one of them",
        MAIL | {"site": MINIMAL["site"] | {"smtp": MAIL["site"]["smtp"]}},
    ),
    ("alarms: needs a mail server; add site.smtp, or omit alarms", {"alarms": {"mail": "you@rehearsal.test"}}),
    ("alarms.mail: must be a valid string; it is 1; put it in quotes", MAIL | {"alarms": {"mail": 1}}),
    (
        "alarms.mail: you@example.com is for documentation only (RFC 2606); write your own",
        MAIL | {"alarms": {"mail": "you@example.com"}},
    ),
    (
        "alarms: needs a mail server; add alarms.smtp, or omit alarms",
        SESSIONS | {"alarms": {"mail": "you@rehearsal.test"}},
    ),
    (
        "smtp_password: is missing, but alarms.smtp needs it; set it with: pulumi config set --secret smtp_password",
        SESSIONS_MAIL | {"smtp_password": ""},
    ),
    (
        "smtp_password: needs its server; add alarms.smtp, or remove it with: pulumi config rm smtp_password",
        SESSIONS | {"smtp_password": "SECRET-password"},
    ),
    (
        "alarms.smtp.from: is missing; add it",
        SESSIONS_MAIL | {"alarms": {"mail": "you@rehearsal.test", "smtp": MAIL["site"]["smtp"]}},
    ),
    (
        "alarms.smtp: has no effect on WordPress; set site.smtp, and omit alarms.smtp",
        MAIL | {"alarms": SESSIONS_MAIL["alarms"]},
    ),
    ("site.smtp.host: is missing; add it", MAIL | {"site": MAIL["site"] | {"smtp": {"user": "site"}}}),
    (
        "site.smtp.host: 'localhost' is not a domain; write one such as www.example.com",
        MAIL | {"site": MAIL["site"] | {"smtp": {"host": "localhost", "user": "site"}}},
    ),
    (
        ("backup_password: is missing, but backup needs it; set it with: pulumi config set --secret backup_password"),
        BACKUP | {"backup_password": ""},
    ),
    (
        (
            "backup_secret_access_key: is missing, but backup.access_key_id needs it; "
            "set it with: pulumi config set --secret backup_secret_access_key"
        ),
        BACKUP | {"backup_secret_access_key": ""},
    ),
    (
        "backup_password: needs backups; add backup.at, or remove it with: pulumi config rm backup_password",
        {"backup_password": "SECRET-password"},
    ),
    (
        (
            "backup_secret_access_key: needs its ID; add backup.access_key_id, "
            "or remove it with: pulumi config rm backup_secret_access_key"
        ),
        OWN_BUCKET | {"backup_secret_access_key": "SECRET-password"},
    ),
    (
        "backup.bucket: is missing; add it, or omit backup.access_key_id",
        BACKUP | {"backup": {"access_key_id": "AKIDBACKUP"}},
    ),
    *(
        (
            f"backup.{name}: needs backup.access_key_id; add it, or omit {name}: the stack makes a bucket",
            OWN_BUCKET | {"backup": {name: value}},
        )
        for name, value in (("bucket", "site-backups"), ("endpoint", "https://s3.rehearsal.test"))
    ),
    (
        "site.restore: needs the bucket that has the backups; add backup.bucket, or omit site.restore",
        restored("latest"),
    ),
    (
        "site.restore: needs the bucket that has the backups; add backup.bucket, or omit site.restore",
        OWN_BUCKET | restored("latest"),
    ),
    *(
        (
            (
                f"site.restore.from: '{moment}' is not a backup's time; "
                'write latest, or one in quotes such as "2026-11-30T08:00:00Z"'
            ),
            BACKUP | restored(moment),
        )
        # the second is what the engine passes for a time without quotes
        for moment in ("today", "2026-11-30 08:00:00 +0000 UTC")
    ),
    (
        (
            "site.restore.from: '2026-11-31T08:00:00Z' is not a time (day is out of range for month); "
            'write one such as "2026-11-30T08:00:00Z"'
        ),
        BACKUP | restored("2026-11-31T08:00:00Z"),
    ),
    (
        (
            "backup.endpoint: 'http://s3.rehearsal.test' is not the address of an S3 service; "
            "write one such as https://nyc3.digitaloceanspaces.com"
        ),
        BACKUP | {"backup": BACKUP["backup"] | {"endpoint": "http://s3.rehearsal.test"}},
    ),
    (
        (
            "backup.at: 'daily; reboot' is not a time of systemd's calendar (systemd.time(7)); "
            "write one such as daily or *-*-* 03:00:00 UTC"
        ),
        BACKUP | {"backup": BACKUP["backup"] | {"at": "daily; reboot"}},
    ),
    (
        (
            "maintenance.at: 'at night!' is not a time of systemd's calendar (systemd.time(7)); "
            "write one such as daily or *-*-* 03:00:00 UTC"
        ),
        {"maintenance": {"at": "at night!"}},
    ),
    (
        "maintenance: needs a cloud's load balancer; omit it with role: balancer",
        {
            "maintenance": {"at": "daily"},
            "nodes": NODES | {f"lb{zone}": {"zone": f"us-east-1{zone}", "role": "balancer"} for zone in ("a", "b")},
        },
    ),
    (
        "site.archive.sha256: is missing; add it",
        {"site": MINIMAL["site"] | {"archive": {"url": "https://wordpress.example/latest.tar.gz"}}},
    ),
    (
        f"site.import.files: {ROOT / 'no-such-file.tar'} is not a file; write a path relative to the project",
        {"site": MINIMAL["site"] | {"import": {"files": "no-such-file.tar"}}},
    ),
    (
        "site.import.database: nothing to import is named; set directory or files, database, or both, or omit import",
        {"site": MINIMAL["site"] | {"import": {}}},
    ),
    ('protect_data: must be a valid boolean, unable to interpret input; it is "perhaps"', {"protect_data": "perhaps"}),
    ('nodes: must be a valid dictionary; it is "gfs1"', {"nodes": "gfs1"}),
    ("cloud: must be 'aws', 'digitalocean' or 'existing'; it is [\"aws\"]", {"cloud": ["aws"]}),
]


@pytest.mark.parametrize(("line", "changes"), INVALID)
def test_an_error_names_its_place_and_its_remedy(line: str, changes: dict[str, Any]) -> None:
    assert error_lines(MINIMAL, **changes) == [line]


@pytest.mark.parametrize(
    ("changes", "ways"),
    [
        ({}, "site.domain and balancer.zone_id or balancer.certificate_arn, or accept_plain_http: true"),
        (
            {"site": MINIMAL["site"] | {"domain": "www.rehearsal.test"}},
            "site.domain and balancer.zone_id or balancer.certificate_arn, or accept_plain_http: true",
        ),
        # the certificate of the site's own balancers is in another section
        (
            {
                "topology": "balancers",
                "balancer": {"zone_id": "Z0123456789ABC"},
                "site": MINIMAL["site"] | {"domain": "www.rehearsal.test"},
            },
            "site.domain and tls, or accept_plain_http: true",
        ),
    ],
)
def test_wordpress_without_https_is_refused_unless_the_settings_accept_it(changes: dict[str, Any], ways: str) -> None:
    line = f"site: has no HTTPS, so passwords can be read on their way; set {ways}"
    assert error_lines(MINIMAL, accept_plain_http=False, **changes) == [line]
    assert PLAIN_HTTP in read(**changes).warnings


@pytest.mark.parametrize(
    "balancer",
    [{"zone_id": "Z0123456789ABC"}, {"certificate_arn": "arn:aws:acm:us-east-1:123456789012:certificate/x"}],
)
def test_wordpress_with_https_is_accepted(balancer: dict[str, str]) -> None:
    assert read(accept_plain_http=False, balancer=balancer, **MAIL).warnings == []


def test_php_sessions_need_no_https() -> None:
    settings = MINIMAL | {"topology": "balancers", "web": "sessions", "accept_plain_http": False}
    assert parse({name: text(value) for name, value in settings.items() if name != "site"}).warnings == []


def test_a_value_that_only_resembles_a_placeholder_is_accepted() -> None:
    site = {"admin_email": "example@counterexample.com", "domain": "www.counterexample.com"}
    bans = {"ignore": ["2001:db9::/32", "192.0.2.0/23"]}
    settings = read(network={"ssh_from": ["0.0.0.0/0", "203.0.114.0/24"]}, site=site, bans=bans)
    assert settings.site
    assert settings.site.domain == "www.counterexample.com"


def test_one_message_lists_every_error() -> None:
    lines = error_lines(
        MINIMAL,
        clod="aws",
        nodes={"gfs1": {"zone": "us-east-1a"}, "gfs2": {"zone": "us-east-1a", "tipe": "t3.small"}},
        network={"ssh_from": [], "cidr": "10.20.0.1/16", "vpc": "vpc-0123456789abcdef0"},
        gluster={"replica": 2, "ports": "9-1", "disk_gb": 0, "volumes": 1},
        database={"engine": "oracle", "storage_gb": 1},
        balancer={"certificate_arn": "arn:aws:acm:us-east-1:123456789012:certificate/x"},
        site={"import": {"files": "missing.tar"}, "archive": {"url": "ftp://x"}},
        protect_data="perhaps",
    )
    assert [line.split(":")[0] for line in lines] == [
        "gluster.arbiter",
        "gluster.disk_gb",
        "gluster.ports",
        "gluster.volumes",
        "nodes.gfs2.tipe",
        "site.admin_email",
        "site.archive.url",
        "site.archive.sha256",
        "site.import.files",
        "protect_data",
        "network.cidr",
        "network.ssh_from",
        "database.engine",
        "database.storage_gb",
        "clod",
        "site.import.files",
        "nodes",
        "network.subnets",
        "network.cidr",
        "site.domain",
    ]


def test_an_error_in_one_section_hides_no_error_in_another() -> None:
    lines = error_lines(
        MINIMAL,
        nodes={name: {"zone": "us-east-1b"} for name in NODES} | {"gfs3": {"zone": "us-east-1c"}},
        gluster={"disk": 20},
    )
    assert [line.split(";")[0] for line in lines] == [
        "gluster.disk: is not a known key",
        "nodes: the volume's 3 bricks are in only 2 zones",
    ]


def test_a_single_copy_is_refused() -> None:
    assert "gluster.replica: must be greater than or equal to 2; it is 1" in error_lines(
        MINIMAL, gluster={"replica": 1}
    )


def test_too_few_nodes_and_too_few_zones_are_reported_together() -> None:
    lines = error_lines(MINIMAL, nodes={"gfs1": {"zone": "us-east-1a"}, "gfs2": {"zone": "us-east-1a"}})
    assert [line.split(",")[0] for line in lines] == ["nodes: 2 hold a brick", "nodes: all are in one zone"]


def test_invalid_json_is_reported_as_an_error() -> None:
    with pytest.raises(SettingsError, match="gluster: "):
        read(gluster="{volume")


def test_a_missing_region_is_reported_with_every_other_error() -> None:
    with pytest.raises(SettingsError) as error:
        parse(
            {
                "clod": "aws",
                "network": text(MINIMAL["network"]),
                "site": text(MINIMAL["site"]),
                "accept_plain_http": "true",
            }
        )
    assert str(error.value).splitlines()[1:] == [
        "  aws:region: is missing; add it",
        "  clod: is not a known key; did you mean cloud?",
    ]


def test_an_unreadable_import_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    dump = tmp_path / "dump.sql"
    dump.touch()
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    (error,) = error_lines(MINIMAL, site=MINIMAL["site"] | {"import": {"database": str(dump)}})
    assert error == f"site.import.database: {dump} cannot be read; check its permissions"


def test_an_import_conflicts_with_an_archive(tmp_path: Path) -> None:
    files = tmp_path / "site.tar"
    files.touch()
    archive = {"url": "https://wordpress.example/x.tar.gz", "sha256": "0" * 64}
    (error,) = error_lines(MINIMAL, site=MINIMAL["site"] | {"import": {"files": str(files)}, "archive": archive})
    assert error == "site.import.files: conflicts with archive, which brings WordPress's code too; omit one of them"


def test_a_restoration_conflicts_with_an_archive_and_an_import(tmp_path: Path) -> None:
    files, dump = tmp_path / "site.tar", tmp_path / "dump.sql"
    files.touch()
    dump.touch()
    archive = {"url": "https://wordpress.example/x.tar.gz", "sha256": "0" * 64}
    both = {"files": str(files), "database": str(dump)}
    assert error_lines(MINIMAL, **BACKUP, **restored("latest", archive=archive)) == [
        "site.restore: conflicts with archive, which brings WordPress's code too; omit one of them"
    ]
    assert error_lines(MINIMAL, **BACKUP, **restored("latest", **{"import": both})) == [
        "site.restore: conflicts with import.files, which brings WordPress's code too; omit one of them",
        "site.restore: conflicts with import.database, which brings the tables too; omit one of them",
    ]


@pytest.mark.parametrize("moment", ["latest", "2026-11-30T08:00:00Z"])
def test_a_site_may_begin_with_the_backup_of_a_moment(moment: str) -> None:
    settings = read(**BACKUP, **restored(moment))
    assert settings.site
    assert settings.site.restore
    assert settings.site.restore.from_ == moment


def test_an_existing_vpc_conflicts_with_a_range_for_a_new_one() -> None:
    network = MINIMAL["network"] | {
        "vpc": "vpc-0123456789abcdef0",
        "cidr": "10.20.0.0/16",
        "subnets": {node["zone"]: "subnet-0" for node in NODES.values()},
    }
    (error,) = error_lines(MINIMAL, network=network, nodes=NODES)
    assert error == "network.cidr: conflicts with vpc; omit it to use the existing VPC"


def test_two_copies_are_allowed_with_a_warning_if_the_settings_accept_the_risk() -> None:
    settings = read(nodes=TWO, gluster={"replica": 2, "accept_split_brain_risk": True}, **MAIL)
    assert settings.warnings == [
        "Two copies without an arbiter: nodes that lose contact with each other can end in split-brain.",
        PLAIN_HTTP,
    ]


def test_shared_zones_are_allowed_with_a_warning_if_the_settings_accept_them() -> None:
    settings = read(nodes=NODES | {"gfs3": {"zone": "us-east-1b"}}, gluster={"accept_shared_zones": True})
    assert settings.warnings[0] == "3 nodes share 2 zones: the loss of one zone may stop writes."


def test_more_elastic_ips_than_the_quota_are_a_warning() -> None:
    nodes = {f"gfs{number}": {"zone": f"us-east-1{letter}"} for number, letter in enumerate("abcdef", start=1)}
    *_, warning = read(nodes=nodes, gluster={"replica": 6}, **MAIL).warnings
    assert warning.startswith("The stack needs 6 elastic IPs, but an account has 5 in a region by default: ask Amazon")
    del nodes["gfs6"]
    assert read(nodes=nodes, gluster={"replica": 5}, **MAIL).warnings == [PLAIN_HTTP]


def test_a_site_without_a_mail_server_is_allowed_with_a_warning() -> None:
    assert read().warnings == [
        PLAIN_HTTP,
        "site.smtp is not set: WordPress cannot send mail, so password resets and notices are lost.",
    ]
    assert read(**MAIL).warnings == [PLAIN_HTTP]


def test_warnings_go_to_the_engines_log() -> None:
    graph = build(nodes=NODES | {"gfs3": {"zone": "us-east-1b"}}, gluster={"accept_shared_zones": True}, **MAIL)
    assert graph.log.warnings == ["3 nodes share 2 zones: the loss of one zone may stop writes."]


def test_errors_stop_the_program_before_any_resource_is_created() -> None:
    with pytest.raises(SettingsError, match="clod: is not a known key"):
        build(clod="aws")


def test_raw_settings_hide_values_of_the_wrong_type_and_fall_back_to_defaults() -> None:
    raw = RawSettings(
        {"volume": {"copies": "3", "ports": None}, "nodes": {"gfs1": {"disk": "a"}, "gfs2": 7}, "bans": 5},
        {"volume": {"copies": 2, "name": "wp"}},
    )
    assert raw.value(str, "volume", "copies") == "3"
    assert raw.value(int, "volume", "copies") is None
    assert raw.value(str, "volume", "name") == "wp"
    assert raw.value(str, "volume", "name", "first") is None
    assert raw.section("nodes", "gfs1") == {"disk": "a"}
    assert raw.section("cache") == {}
    assert raw.section("bans") is None
    assert raw.sections("nodes") == {"gfs1": {"disk": "a"}}
    assert raw.sections("bans") == {}
    assert (raw.has("volume", "ports"), raw.has("volume", "name"), raw.has("bans", "hits")) == (True, False, True)


def test_settings_cannot_be_changed() -> None:
    with pytest.raises(ValueError, match="frozen"):
        read().protect_data = False


def test_pulumi_yaml_declares_the_same_settings_with_the_same_defaults() -> None:
    declared = yaml.safe_load((ROOT / "Pulumi.yaml").read_text())["config"]
    fields = {field.alias or name: field for cloud in CLOUDS.values() for name, field in cloud.model_fields.items()}
    # the key belongs to pulumi-aws, so Pulumi.yaml cannot declare it
    del fields["aws:region"]
    assert declared.keys() == fields.keys()
    for name, field in fields.items():
        assert declared[name]["description"], name
        if declared[name]["type"] != "object":
            # the engine passes a default to every stack, including one whose cloud has no such key
            default = field.default if name in Settings.model_fields else ""
            assert declared[name]["default"] == ("" if isinstance(default, SecretStr) else default), name
        else:
            assert declared[name]["default"] == {}, name


@pytest.mark.parametrize("stack", [path.name.split(".")[1] for path in (ROOT / "stacks").glob("Pulumi.*.yaml")])
def test_every_committed_stack_has_valid_settings(stack: str) -> None:
    settings = parse({name.removeprefix("ha-wordpress:"): text(value) for name, value in committed(stack).items()})
    assert len(settings.warnings) == settings.gluster.accept_split_brain_risk + (settings.site is not None)
