"""User data of a new machine."""

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
    """The MIME parts by file name, in the order in which cloud-init reads them."""
    return {
        str(part.get_filename()): part for part in email.message_from_string(text).walk() if not part.is_multipart()
    }


def content(part: Message) -> str:
    assert part.get_content_type() == "text/cloud-config"
    return str(part.get_payload())


def test_user_data_has_the_named_parts_in_order_and_then_the_host_key() -> None:
    assert list(parts(render(PARTS, PRIVATE, PUBLIC))) == [
        "base.yaml",
        "gluster.yaml",
        "web.yaml",
        "wordpress.yaml",
        "host-key.yaml",
    ]


def test_the_machine_has_no_other_host_key() -> None:
    assert yaml.safe_load(content(parts(render([], PRIVATE, PUBLIC))["host-key.yaml"])) == {
        "ssh_deletekeys": True,
        "ssh_keys": {"ed25519_private": PRIVATE, "ed25519_public": PUBLIC},
    }


def test_the_packages_of_every_part_are_installed() -> None:
    """cloud-init keeps only one part's list unless each part asks for its list to be appended."""
    for part in parts(render(PARTS, PRIVATE, PUBLIC)).values():
        assert part["Merge-Type"] == "list(append)+dict(no_replace,recurse_list)+str()"


def test_user_data_is_the_same_every_time() -> None:
    assert render(PARTS, PRIVATE, PUBLIC) == render(PARTS, PRIVATE, PUBLIC)


def test_a_part_is_not_altered() -> None:
    part = parts(render(["base"], PRIVATE, PUBLIC))["base.yaml"]
    assert content(part) == (ROOT / "cloud-init" / "base.yaml").read_text()


def test_user_data_fits_the_limit() -> None:
    assert len(render(PARTS, "k" * 420, PUBLIC).encode()) < LIMIT


def test_user_data_over_the_limit_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(user_data, "LIMIT", 1000)
    with pytest.raises(ValueError, match="a cloud accepts only 1000"):
        render(PARTS, PRIVATE, PUBLIC)


@pytest.mark.parametrize("part", sorted(path.stem for path in (ROOT / "cloud-init").glob("*.yaml")))
def test_every_part_is_a_cloud_config(part: str) -> None:
    text = (ROOT / "cloud-init" / f"{part}.yaml").read_text()
    assert text.startswith("#cloud-config\n")
    assert isinstance(yaml.safe_load(text), dict)
