"""Backups: their steps in the graph, and what becomes of the settings in their files."""

from __future__ import annotations

import pytest

from components.backup.backup import backup_params
from components.config.settings import Backup
from tests.unit.graph import PROJECT, Graph, Secret, build, committed
from tests.unit.test_safety import visible_texts
from tests.unit.test_settings import BACKUP
from tests.unit.test_watch import user_data

SITE = "remote.Command gfs1-wordpress-site"
STEPS = [f"remote.Command gfs{number}-backup" for number in (1, 2, 3)]


@pytest.fixture(scope="module")
def graph() -> Graph:
    """The stack with backups."""
    return build(**BACKUP)


def test_a_stack_without_backups_has_none_of_it(graph: Graph, aws_wordpress: Graph) -> None:
    assert not [key for key in aws_wordpress.resources if "backup" in key]
    for node in ("gfs1", "gfs2", "gfs3"):
        assert "restic" in user_data(graph, node)
        assert "restic" not in user_data(aws_wordpress, node)


def test_every_web_node_has_the_timer_and_its_secrets_on_standard_input(graph: Graph) -> None:
    for key in STEPS:
        inputs = graph[key].inputs
        assert isinstance(inputs["stdin"], Secret)
        for assignment in (
            "RESTIC_PASSWORD=SECRET-backup-password",
            "AWS_SECRET_ACCESS_KEY=SECRET-access-key",
            "DB_PASSWORD=SECRET-wordpress-database",
        ):
            assert assignment in inputs["stdin"].value
        assert "RESTIC_REPOSITORY=s3:https://s3.amazonaws.com/site-backups" in inputs["create"]
        assert "DB_USER=wordpress_site" in inputs["create"]
    shown = [text for each in graph.resources.values() for text in visible_texts(each.inputs)]
    assert not [text for text in shown if "SECRET-backup" in text or "SECRET-access" in text]


def test_the_first_node_makes_the_repository(graph: Graph) -> None:
    first, *others = STEPS
    assert SITE in graph.after(first)
    assert not {*others} & graph.after(first)
    for other in others:
        assert graph.after(other) & {*STEPS} == {first}


def test_the_settings_decide_when_backups_are_made_and_which_are_kept() -> None:
    backup = Backup.model_validate(
        {
            "at": "hourly",
            "keep": {"daily": 3, "weekly": 0, "monthly": 5},
        }
    )
    params = backup_params("/var/www/html", backup)
    assert "OnCalendar=hourly" in params["TIMER"]
    assert "--keep-daily 3 --keep-weekly 0 --keep-monthly 5" in params["SCRIPT"]


def test_a_new_site_begins_with_a_backup_in_one_step(graph: Graph) -> None:
    site = committed("aws-wordpress")[f"{PROJECT}:site"]
    restored = build(**BACKUP, site=site | {"restore": {"from": "2026-11-30T08:00:00Z"}})
    code, mount = "remote.Command gfs1-wordpress-code", "remote.Command gfs1-mount"
    assert graph.resources.keys() ^ restored.resources.keys() == {code}
    assert restored.waits(SITE) == graph.waits(SITE) - {code} | {mount}
    inputs = restored[SITE].inputs
    assert "RESTORE=2026-11-30T08:00:00Z" in inputs["create"]
    assert "RESTIC_REPOSITORY=s3:https://s3.amazonaws.com/site-backups" in inputs["create"]
    assert "RESTIC_PASSWORD=SECRET-backup-password" in inputs["stdin"].value
    assert "AWS_SECRET_ACCESS_KEY=SECRET-access-key" in inputs["stdin"].value
    for step in STEPS:
        assert SITE in restored.after(step)


def test_a_site_without_restore_gets_no_login_of_the_bucket(graph: Graph) -> None:
    inputs = graph[SITE].inputs
    assert "RESTORE='' " in inputs["create"]
    assert "RESTIC" not in inputs["stdin"].value
