"""What a machine is told at its first boot."""

from __future__ import annotations

import email
from email.message import Message

import pytest
import yaml

from components.machine import user_data
from components.machine.user_data import LIMIT, render
from tests.unit.graph import ROOT

PRIVATE = "-----BEGIN OPENSSH PRIVATE KEY-----\nabc\n-----END OPENSSH PRIVATE KEY-----\n"
PUBLIC = "ssh-ed25519 AAAA"
PARTS = ["base", "gluster", "web", "wordpress"]


def parts(text: str) -> dict[str, Message]:
    """The MIME parts, by file name, as cloud-init goes through them."""
    return {
        str(part.get_filename()): part for part in email.message_from_string(text).walk() if not part.is_multipart()
    }


def content(part: Message) -> str:
    assert part.get_content_type() == "text/cloud-config"
    return str(part.get_payload())


def test_every_named_part_is_in_it_in_order_and_the_host_key_last() -> None:
    assert list(parts(render(PARTS, PRIVATE, PUBLIC))) == [
        "base.yaml",
        "gluster.yaml",
        "web.yaml",
        "wordpress.yaml",
        "host-key.yaml",
    ]


def test_the_host_key_is_the_only_one_the_machine_has() -> None:
    assert yaml.safe_load(content(parts(render([], PRIVATE, PUBLIC))["host-key.yaml"])) == {
        "ssh_deletekeys": True,
        "ssh_keys": {"ed25519_private": PRIVATE, "ed25519_public": PUBLIC},
    }


def test_the_packages_of_every_part_are_installed() -> None:
    """cloud-init keeps only one part's list unless each part says that its own is appended."""
    for part in parts(render(PARTS, PRIVATE, PUBLIC)).values():
        assert part["Merge-Type"] == "list(append)+dict(no_replace,recurse_list)+str()"


def test_the_same_machine_gets_the_same_text_every_time() -> None:
    assert render(PARTS, PRIVATE, PUBLIC) == render(PARTS, PRIVATE, PUBLIC)


def test_a_part_reaches_the_machine_as_it_stands() -> None:
    part = parts(render(["base"], PRIVATE, PUBLIC))["base.yaml"]
    assert content(part) == (ROOT / "cloud-init" / "base.yaml").read_text()


def test_the_whole_fits_into_what_a_cloud_takes() -> None:
    assert len(render(PARTS, "k" * 420, PUBLIC).encode()) < LIMIT


def test_a_text_that_is_too_large_is_refused_before_a_cloud_does(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(user_data, "LIMIT", 1000)
    with pytest.raises(ValueError, match="a cloud takes 1000"):
        render(PARTS, PRIVATE, PUBLIC)


@pytest.mark.parametrize("part", sorted(path.stem for path in (ROOT / "cloud-init").glob("*.yaml")))
def test_every_part_is_a_cloud_config(part: str) -> None:
    text = (ROOT / "cloud-init" / f"{part}.yaml").read_text()
    assert text.startswith("#cloud-config\n")
    assert isinstance(yaml.safe_load(text), dict)
