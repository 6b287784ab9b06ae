"""Every stack has a drill, chosen by its settings and not by its name."""

from __future__ import annotations

import pytest

from components.config.settings import Settings
from rehearsal.deploy.stacks import stack_settings, stacks
from rehearsal.drills.factory import DRILLS
from rehearsal.project import PROJECT


@pytest.mark.parametrize("stack", stacks())
def test_every_stack_has_a_drill(stack: str) -> None:
    settings = stack_settings(stack)
    kind = tuple(settings.get(f"{PROJECT}:{key}", Settings.model_fields[key].default) for key in ("web", "topology"))
    assert kind in DRILLS


def test_each_drill_is_of_one_kind_of_site() -> None:
    assert len(set(DRILLS.values())) == len(DRILLS)
