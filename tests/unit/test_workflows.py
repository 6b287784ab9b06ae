"""The workflows run code that we have seen, with no more rights than they need, for the stacks that changed."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
CHANGED_STACKS = ROOT / ".github" / "changed-stacks.sh"


@pytest.fixture(params=WORKFLOWS, ids=lambda file: file.stem)
def workflow(request: pytest.FixtureRequest) -> str:
    text: str = request.param.read_text()
    return text


def test_actions_are_pinned_to_a_commit_and_say_its_version(workflow: str) -> None:
    used = [line for line in workflow.splitlines() if "uses:" in line]
    assert used
    assert not [line for line in used if not re.search(r"uses: [\w-]+/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$", line)]


def test_jobs_get_rights_one_by_one_and_end_in_time(workflow: str) -> None:
    content: dict[str, Any] = yaml.safe_load(workflow)
    assert content["permissions"] == {}
    assert content["concurrency"]["group"]
    for job in content["jobs"].values():
        assert job["permissions"]["contents"] == "read"
        assert job["timeout-minutes"] <= 30


def test_no_checkout_leaves_its_token_behind(workflow: str) -> None:
    assert workflow.count("persist-credentials: false") == workflow.count("actions/checkout@")


def test_secrets_go_to_no_fork() -> None:
    jobs = yaml.safe_load((ROOT / ".github" / "workflows" / "preview.yml").read_text())["jobs"]
    assert "github.event.pull_request.head.repo.full_name == github.repository" in jobs["stacks"]["if"]
    assert jobs["preview"]["needs"] == "stacks"
    others = [file.read_text() for file in WORKFLOWS if file.stem != "preview"]
    assert not [text for text in others if "secrets." in text or "pull_request_target" in text]


def test_previews_run_on_the_engine_that_is_rehearsed() -> None:
    preview = (ROOT / ".github" / "workflows" / "preview.yml").read_text()
    rehearsed = re.search(r"github.com/pulumi/pulumi/pkg/v3 v([\d.]+)", (ROOT / "tools/pulumi/go.mod").read_text())
    assert rehearsed
    assert f"pulumi-version: {rehearsed[1]}\n" in preview


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A repository with two stacks and one commit."""
    for stack in ("one", "two"):
        settings = tmp_path / "stacks" / f"Pulumi.{stack}.yaml"
        settings.parent.mkdir(exist_ok=True)
        settings.write_text("config: {}\n")
    (tmp_path / "components").mkdir()
    (tmp_path / "components" / "site.py").write_text("")
    (tmp_path / "README.md").write_text("")
    git(tmp_path, "init", "--quiet")
    commit(tmp_path)
    return tmp_path


def git(repository: Path, *words: str) -> None:
    subprocess.run(["git", "-c", "user.name=t", "-c", "user.email=t@example.com", *words], cwd=repository, check=True)


def commit(repository: Path) -> None:
    git(repository, "add", "--all")
    git(repository, "commit", "--quiet", "--message", "A change")


def changed(repository: Path) -> list[str]:
    done = subprocess.run(
        [CHANGED_STACKS, "HEAD^1", "components"], cwd=repository, check=True, capture_output=True, text=True
    )
    stacks: list[str] = json.loads(done.stdout)
    return stacks


@pytest.mark.parametrize(
    ("file", "expected"),
    [
        ("README.md", []),
        ("stacks/Pulumi.two.yaml", ["two"]),
        ("stacks/Pulumi.three.yaml", ["three"]),
        ("components/site.py", ["one", "two"]),
    ],
)
def test_a_stack_has_changed_when_its_settings_or_the_program_have(
    repository: Path, file: str, expected: list[str]
) -> None:
    (repository / file).write_text("changed\n")
    commit(repository)
    assert changed(repository) == expected


def test_a_stack_that_is_gone_has_not_changed(repository: Path) -> None:
    (repository / "stacks" / "Pulumi.one.yaml").unlink()
    commit(repository)
    assert changed(repository) == []


def test_a_base_that_is_not_there_is_an_error(repository: Path) -> None:
    done = subprocess.run([CHANGED_STACKS, "HEAD^1"], cwd=repository, check=False, capture_output=True, text=True)
    assert done.returncode == 1
    assert "there is no commit HEAD^1" in done.stderr
