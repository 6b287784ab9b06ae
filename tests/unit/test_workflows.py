"""The workflows run pinned actions, with no more rights than they need, for the stacks that changed."""

from __future__ import annotations

import json
import os
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from rehearsal.preview.text import title

ROOT = Path(__file__).parents[2]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
CHANGED_STACKS = ROOT / ".github" / "changed-stacks.sh"
PREVIEW_COMMENTS = ROOT / ".github" / "preview-comments.sh"


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


def jobs(workflow: str) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((ROOT / ".github" / "workflows" / f"{workflow}.yml").read_text())["jobs"]
    return found


def test_only_the_job_with_reviewers_has_secrets_and_only_on_steps_that_use_them() -> None:
    previews = jobs("preview-deployed")
    deployed = previews.pop("preview")
    assert deployed["environment"] == "preview"
    assert deployed["needs"] == "stacks"
    assert "github.event.pull_request.head.repo.full_name == github.repository" in previews["stacks"]["if"]
    assert "secrets." in str(deployed["steps"])
    assert not [step for step in deployed["steps"] if "secrets." in str(step) and "pulumi" not in str(step)]
    assert "secrets." not in str({key: value for key, value in deployed.items() if key != "steps"} | previews)
    others = [file.read_text() for file in WORKFLOWS if file.stem != "preview-deployed"]
    assert not [text for text in others if "secrets." in text]
    assert not [file for file in WORKFLOWS if "pull_request_target" in file.read_text()]


def test_a_forks_pull_request_is_previewed_without_rights_and_waits_for_no_reviewer() -> None:
    previews = jobs("preview")
    job = previews["preview"]
    assert job["if"] == "needs.stacks.outputs.changed != '[]'"
    assert job["permissions"] == {"contents": "read"}
    assert "if" not in previews["stacks"]
    assert any("make preview" in step.get("run", "") for step in job["steps"])
    assert not [job for job in previews.values() if "environment" in job]


def test_a_job_that_comments_for_forks_runs_no_code_of_theirs() -> None:
    (job,) = jobs("preview-comment").values()
    checkout, comment = job["steps"]
    assert "ref" not in checkout["with"]
    assert comment["run"] == ".github/preview-comments.sh"
    assert job["permissions"]["pull-requests"] == "write"


def test_previews_run_on_the_engine_that_is_rehearsed() -> None:
    rehearsed = re.search(r"github.com/pulumi/pulumi/pkg/v3 v([\d.]+)", (ROOT / "tools/pulumi/go.mod").read_text())
    assert rehearsed
    versions = {file.stem: set(re.findall(r"pulumi-version: (\S+)", file.read_text())) for file in WORKFLOWS}
    assert {name for name, found in versions.items() if found} == {"checks", "preview", "preview-deployed"}
    assert set().union(*versions.values()) == {rehearsed[1]}


GH = """\
#!/bin/sh
case "$*" in
  *"--method GET repos/o/r/pulls"*) if [ "$HEAD_SHA" = current ]; then echo 7; fi ;;
  "run download"*) while [ "$1" != --dir ]; do shift; done; cp -r "$STORED"/. "$2" ;;
  *) echo "$*" >>"$CALLS" ;;
esac
"""
"""Stand-in for gh: one open pull request, and a run that has stored a directory."""


@dataclass
class Comments:
    """preview-comments.sh with a run that stores files, and the requests that it sends to GitHub."""

    directory: Path

    def store(self, stack: str, text: str) -> None:
        file = self.directory / "stored" / f"preview-{stack}" / "comment.md"
        file.parent.mkdir(parents=True)
        file.write_text(text)

    def write(self, head: str = "current") -> list[str]:
        """Run the script; returns the requests that write a comment."""
        calls = self.directory / "calls"
        calls.write_text("")
        environment = {
            "PATH": f"{self.directory}:{os.environ['PATH']}", "GITHUB_REPOSITORY": "o/r", "RUN": "1",
            "HEAD_OWNER": "fork", "HEAD_BRANCH": "b", "HEAD_SHA": head, "CALLS": str(calls),
            "STORED": str(self.directory / "stored"),
        }  # fmt: skip
        subprocess.run([PREVIEW_COMMENTS], env=environment, check=True, capture_output=True, timeout=60)
        return [line for line in calls.read_text().splitlines() if "--method" in line]


@pytest.fixture
def comments(tmp_path: Path) -> Comments:
    (tmp_path / "stored").mkdir()
    (tmp_path / "gh").write_text(GH)
    (tmp_path / "gh").chmod(0o755)
    return Comments(tmp_path)


def test_a_stored_preview_is_written_to_the_pull_request_with_that_head(comments: Comments) -> None:
    comments.store("one", f"{title('one')}\n\nnothing changes\n")
    (written,) = comments.write()
    assert written.startswith("api --method POST repos/o/r/issues/7/comments --field body=@")
    assert comments.write(head="pushed again") == []


@pytest.mark.parametrize("text", ["#### Another comment\n", f"{title('two')}\n", f"{title('one')}\n{'x' * 64_001}"])
def test_a_stored_file_that_is_no_preview_of_its_stack_is_passed_over(comments: Comments, text: str) -> None:
    comments.store("one", text)
    assert comments.write() == []


def test_a_stored_link_is_not_followed(comments: Comments, tmp_path: Path) -> None:
    comments.store("one", f"{title('one')}\n")
    file = tmp_path / "stored" / "preview-one" / "comment.md"
    file.rename(tmp_path / "secret")
    file.symlink_to(tmp_path / "secret")
    assert comments.write() == []


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
    assert "the commit HEAD^1 is not in this clone" in done.stderr
