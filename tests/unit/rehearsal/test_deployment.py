"""The settings that the engine of a rehearsal reads."""

from __future__ import annotations

from pathlib import Path

import yaml

from rehearsal.deploy.deployment import write_settings
from rehearsal.project import REPOSITORY


def test_a_stack_without_secrets_is_rehearsed_unchanged(tmp_path: Path) -> None:
    source = REPOSITORY / "stacks" / "Pulumi.aws-wordpress.yaml"
    write_settings(source, tmp_path)
    assert (tmp_path / source.name).read_bytes() == source.read_bytes()


def test_secrets_become_placeholders_that_need_no_passphrase(tmp_path: Path) -> None:
    source = tmp_path / "Pulumi.live.yaml"
    config = {"a:token": {"secure": "v1:one"}, "a:list": [{"b": {"secure": "v1:two"}}], "a:plain": "text"}
    source.write_text(yaml.safe_dump({"encryptionsalt": "v1:salt", "config": config}))
    (tmp_path / "project").mkdir()
    write_settings(source, tmp_path / "project")
    written = yaml.safe_load((tmp_path / "project" / source.name).read_text())
    token, other = written["config"]["a:token"], written["config"]["a:list"][0]["b"]
    assert written == {"config": {"a:token": token, "a:list": [{"b": other}], "a:plain": "text"}}
    assert len({token, other}) == 2
    assert all(value.startswith("secret-") for value in (token, other))
