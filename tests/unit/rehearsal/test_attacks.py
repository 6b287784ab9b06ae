"""The attacks of a drill: their checks, the agent of a compromised PHP, and the metadata service that it asks."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import ThreadingHTTPServer
from pathlib import Path
from unittest.mock import Mock

import httpx
import pytest

from rehearsal.drills.access_logs import dropped_at
from rehearsal.drills.attacks.base import Attack
from rehearsal.drills.attacks.compromised_php import AGENT, Orders
from rehearsal.drills.attacks.content import Content
from rehearsal.drills.flood.addresses import ADDRESSES
from rehearsal.drills.outside_addresses import FLOODER, READER, THIRD_PARTY_VISITOR, VICTIM
from rehearsal.drills.site import Site
from rehearsal.region.metadata import handler, role_file, role_text
from rehearsal.report.model import Check, FaultResult


class Planting(Attack):
    name = "planting"

    def cause(self) -> FaultResult:
        self.since = self.mark("files are planted")
        self.check_none("planted files", ["a", "b", "c", "d"])
        self.check_none("other files", [])
        return FaultResult(name=self.name)


def test_an_attack_returns_its_marks_and_names_the_first_three_of_what_it_found() -> None:
    result, checks = Planting(Mock(spec=Site, control=Mock())).run()
    assert [(mark.at, mark.text) for mark in result.marks] == [(0, "files are planted")]
    assert checks == [
        Check(fault="planting", name="planted files", passed=False, measured="a; b; c and 1 more", limit="none"),
        Check(fault="planting", name="other files", passed=True, measured="none", limit="none"),
    ]


class Restoring(Attack):
    name = "restoring"

    def cause(self) -> FaultResult:
        Content(self.site, "/var/www/rehearsal", without=("wp-config.php", "users")).check(self)
        return FaultResult(name=self.name)


@pytest.mark.parametrize(
    ("restored", "damaged", "passed"),
    [("posts 1", [], [True, True]), ("posts 2", ["./index.php"], [False, False])],
)
def test_the_content_of_a_new_stack_is_compared_without_what_it_has_of_its_own(
    restored: str, damaged: list[str], passed: list[bool]
) -> None:
    site = Mock(spec=Site, control=Mock(), mount="/var/www", roles=Mock(bricks=["gfs1"], web=["gfs1"]))
    site.checksums.return_value = "aa  ./index.php\nbb  ./wp-config.php\n"
    site.on.side_effect = ["posts 1\n", f"{restored}\n"]
    site.differing.return_value = damaged
    _, checks = Restoring(site).run()
    assert [check.passed for check in checks] == passed
    site.differing.assert_called_once_with("gfs1", "aa  ./index.php\n")
    assert not {"users"} & {*site.on.call_args.args}


def test_the_addresses_of_the_attacks_are_their_own() -> None:
    assert len({FLOODER, READER, THIRD_PARTY_VISITOR, VICTIM, *ADDRESSES}) == 4 + len(ADDRESSES)


def test_dropped_addresses_have_the_seconds_left_of_their_bans() -> None:
    element = {"elem": {"val": "198.19.0.114", "timeout": 43200, "expires": 43190}}
    empty = {"nftables": [{"metainfo": {}}, {"set": {"name": "banned4"}}]}
    banned = {"nftables": [{"metainfo": {}}, {"set": {"name": "banned4", "elem": [element]}}]}
    site = Mock(spec=Site)
    site.on.side_effect = [json.dumps(empty), json.dumps(banned)]
    assert [dropped_at(site, "gfs1"), dropped_at(site, "gfs1")] == [{}, {"198.19.0.114": 43190}]


@pytest.fixture
def document_root(tmp_path: Path) -> Path:
    root = tmp_path / "html"
    (root / ".ha-wordpress").mkdir(parents=True)
    (root / "wp-content").mkdir()
    (root / "wp-config.php").write_text("define('DB_PASSWORD', 'database-password');\n")
    return root


def attack(root: Path, **orders: object) -> dict[str, list[str]]:
    """Run the agent; by default it attacks ports that nobody listens on. Returns its report."""
    state = str(root / ".ha-wordpress")
    closed = {"hits_port": 9, "hosts": [], "storage": [("127.0.0.1", 9)], "metadata": "127.0.0.1:9"}
    planted = {"facts": ["banned,192.0.2.1,9,1"], "seconds": 0, "links": {}}
    usual = {
        "root": str(root),
        "state": state,
        "accused": ["192.0.2.1"],
        "hits": 2,
        "places": [],
        "secrets": [],
        **closed,
        **planted,
    }
    done = subprocess.run(
        [sys.executable, "-c", AGENT], input=Orders.model_validate(usual | orders).model_dump_json() + "\n",
        check=True, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    report: dict[str, list[str]] = json.loads(done.stdout)
    return report


def test_the_agent_reports_ports_that_accept_and_refuse(document_root: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        report = attack(document_root, hits_port=port, storage=[("127.0.0.1", port), ("127.0.0.1", 9)])
    assert (report["logs"], report["connections"]) == ([f"TCP 127.0.0.1:{port}"], [f"127.0.0.1:{port}"])
    assert attack(document_root)["connections"] == []


def test_the_agent_finds_secrets_outside_of_the_configuration(document_root: Path) -> None:
    (document_root / "copy").write_text("a copy of database-password")
    (document_root / "key").write_text(r'"-----BEGIN OPENSSH PRIVATE KEY-----\n' + "A" * 64)
    (document_root / "wp-content" / "backup").write_text("the-administrators-password")
    (document_root / "harmless").write_text("-----BEGIN PRIVATE KEY----- is how a key begins")
    elsewhere = document_root.parent / "etc" / "ssl"
    elsewhere.mkdir(parents=True)
    (elsewhere / "key").write_text("-----BEGIN RSA PRIVATE KEY-----\n" + "A" * 64)
    report = attack(document_root, places=[str(elsewhere.parent)], secrets=["the-administrators-password"])
    found = {path for path in report["secrets"] if not path.startswith("/proc/")}
    assert found == {
        str(elsewhere / "key"), *(str(document_root / name) for name in ("copy", "key", "wp-content/backup"))
    }  # fmt: skip


def test_the_agent_leaves_its_bans_and_its_links_in_the_place_of_the_real_ones(document_root: Path) -> None:
    state = document_root / ".ha-wordpress"
    (state / "bans").mkdir()
    (state / "code").write_text("debian\n")
    report = attack(document_root, links={str(state / "code"): "/etc/shadow"})
    assert report["planted"] == ["bans", str(state / "code")]
    assert [path.name for path in (state / "bans").iterdir()] == ["banned,192.0.2.1,9,1"]
    assert (state / "code").readlink() == Path("/etc/shadow")
    assert (state / "code.aside").read_text() == "debian\n"
    assert (state / "bans.aside").is_dir()


@pytest.fixture
def metadata(tmp_path: Path) -> Iterator[str]:
    """The URL of a metadata service that has user data and a role for this host."""
    (tmp_path / "127.0.0.1").write_text("#cloud-config\n")
    (tmp_path / role_file("127.0.0.1")).write_text(role_text("backups", "ASIA1", "secret"))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler(tmp_path)) as server:
        threading.Thread(target=server.serve_forever).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


def test_the_metadata_service_gives_user_data_as_both_clouds_do(metadata: str) -> None:
    assert httpx.get(f"{metadata}/latest/user-data").status_code == 401
    token = httpx.put(f"{metadata}/latest/api/token").text
    with_token = httpx.get(f"{metadata}/latest/user-data", headers={"X-aws-ec2-metadata-token": token})
    assert with_token.text == httpx.get(f"{metadata}/metadata/v1/user-data").text == "#cloud-config\n"
    assert httpx.get(f"{metadata}/latest/meta-data", headers=with_token.request.headers).status_code == 404


def test_the_metadata_service_gives_the_keys_of_a_role_for_a_token_only(metadata: str, tmp_path: Path) -> None:
    keys = f"{metadata}/latest/meta-data/iam/security-credentials/"
    headers = {"X-aws-ec2-metadata-token": httpx.put(f"{metadata}/latest/api/token").text}
    assert [httpx.get(f"{keys}{name}").status_code for name in ("", "backups")] == [401, 401]
    assert httpx.get(keys, headers=headers).text == "backups"
    key = httpx.get(f"{keys}backups", headers=headers).json()
    assert (key["Code"], key["AccessKeyId"], key["SecretAccessKey"]) == ("Success", "ASIA1", "secret")
    assert key["Expiration"] > key["LastUpdated"]
    assert httpx.get(f"{keys}other", headers=headers).status_code == 404
    (tmp_path / role_file("127.0.0.1")).unlink()
    assert httpx.get(keys, headers=headers).status_code == 404
