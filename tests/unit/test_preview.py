"""A preview's settings hold no secret, and its comment fits and breaks out of no code block."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from components.config.certificate import chain_errors, key_errors
from rehearsal.preview import text, trees
from rehearsal.preview.comparison import Preview, called_out
from rehearsal.preview.program import Step
from rehearsal.project import REPOSITORY


def step(operation: str, type_token: str, name: str, *, retained: bool = False) -> Step:
    urn = f"urn:pulumi:s::p::{type_token}::{name}"
    return {
        "op": operation, "urn": urn, "type": type_token, "replaced_for": ["zone"], "changed": ["zone"],
        "newState": {
            "urn": urn, "custom": True, "parent": "", "dependencies": [], "propertyDependencies": {},
            "protect": False, "retainOnDelete": retained,
        },
    }  # fmt: skip


def preview(output: str, *steps: Step) -> Preview:
    counts = {"same": 90, "update": 9, "replace": 2, "create-replacement": 2}
    return Preview("aws-wordpress", "main", "changed", list(steps), counts, output, 8.24)


MACHINE = step("replace", "digitalocean:index/droplet:Droplet", "app1")


def test_databases_disks_and_machines_are_called_out_in_this_order() -> None:
    assert called_out([
        MACHINE,
        step("update", "aws:ec2/instance:Instance", "gfs1"),
        step("delete", "digitalocean:index/volume:Volume", "gfs2-data", retained=True),
        step("delete", "aws:rds/instance:Instance", "database"),
        step("replace", "command:remote:Command", "gfs1-web"),
    ]) == [
        "The database database (aws:rds/instance:Instance) is DELETED.",
        "The disk gfs2-data (digitalocean:index/volume:Volume) is REMOVED from the stack; the cloud keeps it.",
        "The machine app1 (digitalocean:index/droplet:Droplet) is REPLACED, because of zone.",
    ]  # fmt: skip


def test_a_comment_begins_with_its_title_and_the_called_out() -> None:
    lines = text.markdown(preview("Previewing update", MACHINE)).splitlines()
    assert lines[0] == text.title("aws-wordpress")
    assert lines[2] == "> [!WARNING]"
    assert "The machine app1" in lines[3]
    assert "aws-wordpress against main: 9 to update, 2 to replace, 90 unchanged (8.2 s)" in lines


def test_a_long_comment_loses_the_end_of_pulumis_text_and_nothing_else() -> None:
    output = "\n".join(f"line {number}" for number in range(20_000))
    comment = text.markdown(preview(output, MACHINE))
    assert text.COMMENT_LIMIT - 500 < len(comment) <= text.COMMENT_LIMIT
    assert "more lines: make preview STACK=aws-wordpress BASE=main prints them\n```\n\n</details>" in comment
    assert comment.index("The machine app1") < comment.index("line 0\n") < comment.index("9 to update")
    assert comment.rstrip().endswith("```")
    assert "flowchart LR" in comment


def test_a_fence_in_pulumis_text_does_not_end_the_code_block() -> None:
    assert "\n````\nbefore\n```\nafter\n````\n" in text.markdown(preview("before\n```\nafter", MACHINE))


def test_a_failure_is_a_comment_that_fits() -> None:
    comment = text.failure("aws-wordpress", "x" * 100_000, ["The disk gfs1-data is REPLACED."])
    assert comment.startswith(f"{text.title('aws-wordpress')}\n\n- The disk gfs1-data is REPLACED.\n\n```\nx")
    assert len(comment) <= text.COMMENT_LIMIT


def test_secrets_become_placeholders_that_differ_when_the_secrets_do(tmp_path: Path) -> None:
    def written(secret: str) -> dict[str, str]:
        tree = tmp_path / secret / "tree"
        (tree / "stacks").mkdir(parents=True)
        (tree / "Pulumi.yaml").write_text("name: ha-wordpress\n")
        content = {"encryptionsalt": "v1:x", "config": {"ha-wordpress:a": {"b": [{"secure": f"v1:{secret}"}]}}}
        trees.settings_file(tree, "s").write_text(yaml.safe_dump(content))
        trees.write_project(tree, "s", tmp_path / secret / "project")
        output: dict[str, str] = yaml.safe_load(trees.settings_file(tmp_path / secret / "project", "s").read_text())
        return output

    one, other = written("one"), written("other")
    assert "v1:" not in str(one)
    assert one != other


def test_machines_that_exist_already_get_one_key_in_both_trees(tmp_path: Path) -> None:
    for name in ("old", "new"):
        trees.write_project(REPOSITORY, "php-sessions", tmp_path / name)
    old, new = (trees.settings_file(tmp_path / name, "php-sessions").read_text() for name in ("old", "new"))
    assert "BEGIN OPENSSH PRIVATE KEY" in old
    assert old == new


def test_a_certificate_is_made_up_and_differs_when_the_files_do(tmp_path: Path) -> None:
    def written(name: str, secret: str) -> dict[str, Any]:
        tree = tmp_path / name / "tree"
        (tree / "stacks").mkdir(parents=True)
        (tree / "Pulumi.yaml").write_text("name: ha-wordpress\n")
        key = {"secure": secret}
        tls, nodes = {"domain": "www.example.com"}, {"lb1": {"role": "balancer"}}
        config = {"ha-wordpress:tls": tls, "ha-wordpress:tls_private_key": key, "ha-wordpress:nodes": nodes}
        trees.settings_file(tree, "s").write_text(yaml.safe_dump({"config": config}))
        trees.write_project(tree, "s", tmp_path / name / "project")
        output: dict[str, Any] = yaml.safe_load(trees.settings_file(tmp_path / name / "project", "s").read_text())
        settings: dict[str, Any] = output["config"]
        return settings

    old, new, renewed = written("old", "v1:one"), written("new", "v1:one"), written("renewed", "v1:other")
    chain, key = old["ha-wordpress:tls"]["certificate"], old["ha-wordpress:tls_private_key"]
    assert not [*chain_errors(chain, "www.rehearsal.test"), *key_errors(key, chain)]
    assert old == new != renewed


def test_a_commit_that_is_not_here_is_refused_with_how_to_get_it(tmp_path: Path) -> None:
    with pytest.raises(trees.UnknownCommitError, match="git fetch --unshallow"):
        trees.export("no-such-commit", tmp_path / "base")
