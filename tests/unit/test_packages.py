"""What a machine that exists already is told of cloud-init's parts."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from components.cloud.existing import packages
from components.machine import user_data


def test_the_packages_are_those_of_the_parts_each_once() -> None:
    gluster = yaml.safe_load((user_data.PARTS / "gluster.yaml").read_text())["packages"]
    moved = yaml.safe_load((user_data.PARTS / "apache.yaml").read_text())["packages"]
    assert packages.params(["gluster", "apache", "migrate"])["PACKAGES"].split() == [*gluster, *moved]


def test_the_files_of_the_parts_come_with_their_paths() -> None:
    files = packages.params(["gluster"])["FILES"].splitlines()
    assert files[0] == "==> /etc/apt/apt.conf.d/52no-unattended-glusterfs"
    assert "Package-Blacklist" in files[1]


def test_an_existing_machine_is_not_made_anew() -> None:
    assert packages.params(["base"]) == {"PACKAGES": "", "FILES": ""}


@pytest.mark.parametrize("part", sorted(path.stem for path in user_data.PARTS.glob("*.yaml")))
def test_every_part_can_be_given_to_an_existing_machine(part: str) -> None:
    packages.params([part])


@pytest.mark.parametrize(
    ("content", "named"),
    [
        ("runcmd: [reboot]", "runcmd"),
        ("write_files: [{path: /etc/a, content: b, encoding: gzip}]", "encoding"),
    ],
)
def test_a_part_with_more_than_packages_and_files_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: str, named: str
) -> None:
    monkeypatch.setattr(packages, "PARTS", tmp_path)
    (tmp_path / "more.yaml").write_text(f"#cloud-config\n{content}\n")
    with pytest.raises(ValueError, match=rf"cloud-init/more\.yaml has {named}"):
        packages.params(["more"])
