"""A preview shows what an edit of the settings changes, through the real engine, without machines and without root."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from rehearsal.deploy.stacks import UnknownStackError
from rehearsal.preview import text
from rehearsal.preview.comparison import Preview, PreviewFailed, called_out, compare
from rehearsal.project import REPOSITORY
from tests.preview.conftest import Compare, copy_program, edit_settings, plain_http

REHEARSE = str(Path(sys.executable).with_name("rehearse"))
INSTANCE, EBS = "aws:ec2/instance:Instance", "aws:ebs/volume:Volume"


def steps(preview: Preview, operation: str) -> set[str]:
    """The resources that a preview shows with an operation, as `type name`."""
    return {f"{step['type']} {step['urn'].split('::')[-1]}" for step in preview.steps if step["op"] == operation}


def move_gfs3(config: dict[str, Any]) -> None:
    config["ha-wordpress:nodes"]["gfs3"]["zone"] = "us-east-1a"


def test_a_node_in_another_zone_gets_a_new_machine_and_disk_which_are_called_out_first(compared: Compare) -> None:
    def edit(config: dict[str, Any]) -> None:
        move_gfs3(config)
        config["ha-wordpress:protect_data"] = False

    preview = compared("aws-wordpress", edit)
    assert {f"{INSTANCE} gfs3", f"{EBS} gfs3-data"} <= steps(preview, "replace")
    assert called_out(preview.steps) == [
        f"The disk gfs3-data ({EBS}) is REPLACED, because of availabilityZone.",
        f"The machine gfs3 ({INSTANCE}) is REPLACED, because of subnetId.",
    ]
    lines = text.terminal(preview).splitlines()
    assert lines[0].startswith("The disk gfs3-data")
    assert '      ~ availabilityZone: "us-east-1d" => "us-east-1a"' in lines
    assert f"    +-{INSTANCE}: (replace)" in lines
    assert 'n0["' in text.terminal(preview).split("flowchart LR")[1]
    assert preview.seconds < 60


def test_a_protected_disk_is_called_out_though_the_engine_refuses_to_replace_it(compared: Compare) -> None:
    with pytest.raises(PreviewFailed, match=r"gfs3-data: unable to replace(.|\n)*protection") as failed:
        compared("aws-wordpress", move_gfs3)
    assert any("gfs3-data" in sentence and "REPLACED" in sentence for sentence in failed.value.called_out)


def test_another_machine_type_changes_the_machine_in_place(compared: Compare) -> None:
    preview = compared("aws-wordpress", lambda config: config.update({"ha-wordpress:machine": {"type": "m7i.large"}}))
    assert {f"{INSTANCE} gfs1", f"{INSTANCE} gfs2", f"{INSTANCE} gfs3"} <= steps(preview, "update")
    assert called_out(preview.steps) == []
    assert '"m7i.large"' in preview.text


def test_a_new_node_is_created_and_no_machine_is_replaced(compared: Compare) -> None:
    preview = compared(
        "digitalocean-wordpress", lambda config: config["ha-wordpress:nodes"].update(app3={"role": "web"})
    )
    assert "digitalocean:index/droplet:Droplet app3" in steps(preview, "create")
    assert steps(preview, "replace") == set()
    assert "Node app3" in text.markdown(preview)


@pytest.mark.parametrize(
    ("stack", "changed"),
    [
        ("aws-wordpress", "aws:lb/listener:Listener http"),
        ("digitalocean-wordpress", "digitalocean:index/loadBalancer:LoadBalancer balancer"),
    ],
)
def test_a_site_gets_https_in_place(stack: str, changed: str, pulumi: Path, tmp_path: Path) -> None:
    old, new = copy_program(tmp_path / "old"), copy_program(tmp_path / "new")
    edit_settings(old, stack, plain_http)
    preview = compare(stack, "main", old, new, pulumi, tmp_path)
    assert steps(preview, "replace") | steps(preview, "delete") == set()
    assert {step for step in steps(preview, "update") if not step.startswith("command:")} == {changed}
    assert any("/record:Record site" in step or "DnsRecord" in step for step in steps(preview, "create"))


def test_without_a_change_nothing_changes(compared: Compare) -> None:
    preview = compared("existing-apache", lambda config: None)
    assert not preview.changes
    assert "existing-apache against main: nothing changes" in text.terminal(preview)


def test_wrong_settings_give_the_settings_own_message(compared: Compare) -> None:
    with pytest.raises(PreviewFailed) as failed:
        compared("php-sessions", lambda config: config.update({"ha-wordpress:web": "wiki"}))
    message = str(failed.value)
    assert "php-sessions cannot be previewed:" in message
    assert message.count("The settings have errors") == 1
    assert "web: must be" in message
    assert "Traceback" not in message
    assert len(message.splitlines()) < 10


def test_a_stack_that_only_the_change_has_is_created(pulumi: Path, tmp_path: Path) -> None:
    old, new = copy_program(tmp_path / "old"), copy_program(tmp_path / "new")
    (old / "stacks" / "Pulumi.existing-apache.yaml").unlink()
    preview = compare("existing-apache", "main", old, new, pulumi, tmp_path)
    assert preview.kind == "new"
    assert steps(preview, "create")
    assert steps(preview, "same") == set()
    assert "existing-apache is new, not in main:" in text.terminal(preview)


def test_a_stack_that_the_change_removes_is_named_with_what_stays(tmp_path: Path) -> None:
    old, new = copy_program(tmp_path / "old"), copy_program(tmp_path / "new")
    (new / "stacks" / "Pulumi.existing-apache.yaml").unlink()
    preview = compare("existing-apache", "main", old, new, Path("/nonexistent"), tmp_path)
    assert "existing-apache is in main and not here" in text.terminal(preview)
    with pytest.raises(UnknownStackError, match="there is no stack wiki, neither here nor in main"):
        compare("wiki", "main", old, new, Path("/nonexistent"), tmp_path)


@pytest.fixture
def unprivileged(pulumi: Path) -> Iterator[tuple[list[str], dict[str, str]]]:
    """A user without rights and home: a command prefix, and an environment with the engine and a TMPDIR.

    Root without any capability can make no namespace, mount or device, and still reads a Python that is installed in
    its home.
    """
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        shutil.copy(pulumi, directory)
        (directory / "tmp").mkdir()
        environment = {
            "PATH": f"{directory}{os.pathsep}{os.environ['PATH']}", "HOME": "/proc/nonexistent",
            "TMPDIR": str(directory / "tmp"), "PYTHONPATH": str(REPOSITORY),
        }  # fmt: skip
        words = ["setpriv", "--bounding-set=-all", "--inh-caps=-all", "--no-new-privs"] if os.geteuid() == 0 else []
        if words:
            assert subprocess.run([*words, "unshare", "--net", "true"], check=False, capture_output=True).returncode
        yield words, environment


def test_a_user_without_rights_and_home_previews_a_stack(unprivileged: tuple[list[str], dict[str, str]]) -> None:
    words, environment = unprivileged
    comment = Path(environment["TMPDIR"]) / "comment.md"
    done = subprocess.run(
        [*words, REHEARSE, "preview", "php-sessions", "--base", "HEAD", "--markdown", str(comment)],
        env=environment, check=False, capture_output=True, text=True, timeout=180,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "php-sessions against HEAD: " in done.stdout
    assert "Deploying php-sessions as of HEAD, on paper: " in done.stderr
    assert comment.read_text().startswith(text.title("php-sessions"))
    comment.unlink()
    assert list(Path(environment["TMPDIR"]).iterdir()) == []


def test_an_interrupt_removes_the_scratch_directory(unprivileged: tuple[list[str], dict[str, str]]) -> None:
    words, environment = unprivileged
    scratch = Path(environment["TMPDIR"])
    command = ["env", "--default-signal=INT", REHEARSE, "preview", "php-sessions", "--base", "HEAD"]
    with subprocess.Popen([*words, *command], env=environment, stderr=subprocess.PIPE, text=True) as running:
        end = time.monotonic() + 60
        while not list(scratch.glob("preview-*/up/log")) and time.monotonic() < end:
            time.sleep(0.05)
        running.send_signal(signal.SIGINT)
        running.communicate(timeout=60)
    assert running.returncode == 130
    assert list(scratch.iterdir()) == []


def test_a_commit_that_is_not_here_is_refused_with_how_to_get_it() -> None:
    done = subprocess.run(
        [REHEARSE, "preview", "php-sessions", "--base", "no-such-commit"],
        check=False, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert done.returncode == 1
    assert "no-such-commit is no commit of" in done.stderr
    assert "git fetch --unshallow" in done.stderr
