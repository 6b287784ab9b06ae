"""Packages and files of cloud-init/ for existing machines."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from components.cloud.existing import packages
from components.machine import user_data


def test_every_package_of_the_parts_is_listed_once() -> None:
    gluster = yaml.safe_load((user_data.PARTS / "gluster.yaml").read_text())["packages"]
    apache = yaml.safe_load((user_data.PARTS / "apache.yaml").read_text())["packages"]
    assert packages.params(["gluster", "apache", "migrate"])["PACKAGES"].split() == [*gluster, *apache]


def test_the_files_of_the_parts_follow_their_paths() -> None:
    files = packages.params(["gluster-client"])["FILES"].splitlines()
    assert files[0] == "==> /etc/apt/apt.conf.d/52no-unattended-glusterfs"
    assert "Package-Blacklist" in files[1]


def test_of_the_base_part_an_existing_machine_gets_only_the_packet_filter() -> None:
    assert packages.params(["base"]) == {"PACKAGES": "nftables", "FILES": ""}


@pytest.mark.parametrize("part", sorted(path.stem for path in user_data.PARTS.glob("*.yaml")))
def test_every_part_works_on_an_existing_machine(part: str) -> None:
    packages.params([part])


@pytest.mark.parametrize(
    ("content", "key"),
    [
        ("runcmd: [reboot]", "runcmd"),
        ("write_files: [{path: /etc/a, content: b, encoding: gzip}]", "encoding"),
    ],
)
def test_a_part_with_other_keys_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: str, key: str
) -> None:
    monkeypatch.setattr(packages, "PARTS", tmp_path)
    (tmp_path / "more.yaml").write_text(f"#cloud-config\n{content}\n")
    with pytest.raises(ValueError, match=rf"cloud-init/more\.yaml has {key}"):
        packages.params(["more"])
