"""A heal is waited for and measured, without a lock on many entries. All figures here are made up."""

from __future__ import annotations

from unittest.mock import Mock

import pytest

from rehearsal import progress
from rehearsal.drills import fault_window
from rehearsal.drills.fault_window import FaultWindow
from rehearsal.drills.site import Site


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch) -> Mock:
    """A site without web nodes, so that a window starts no client; it has nothing to heal yet."""
    monkeypatch.setattr(fault_window, "HEAL_LIMIT", 1.2)
    site = Mock(spec=Site)
    site.roles = Mock(web=[])
    site.indexed_entries.return_value = site.pending_heals.return_value = 0
    return site


@pytest.fixture
def window(site: Mock) -> FaultWindow:
    window = FaultWindow("a fault", site, [], "/volume", Mock(spec=progress.Step))
    site.reset_mock()
    return window


def test_a_heal_is_measured_and_heal_info_runs_once_at_its_end(site: Mock, window: FaultWindow) -> None:
    site.indexed_entries.side_effect = [None, 500, 2]
    window.measure_heal()
    assert window.pending == 0
    assert window.heal_seconds == pytest.approx(1.0, abs=0.3)
    assert site.pending_heals.call_count == 1
    assert [text for _, text in window.marks] == ["healed"]


@pytest.mark.parametrize(
    ("indexed", "pending", "left", "asked"),
    [
        pytest.param(500, 0, 500, False, id="too many entries to lock"),
        pytest.param(2, 2, 2, True, id="entries that do not heal"),
        pytest.param(2, None, None, True, id="a brick that does not answer heal info"),
        pytest.param(None, 0, None, False, id="a brick that does not answer heal-count"),
    ],
)
def test_entries_that_are_not_healed_within_the_limit_are_recorded(
    site: Mock, window: FaultWindow, indexed: int | None, pending: int | None, left: int | None, asked: bool
) -> None:
    site.indexed_entries.return_value, site.pending_heals.return_value = indexed, pending
    window.measure_heal()
    assert window.pending == left
    assert window.heal_seconds is not None
    assert window.heal_seconds >= 1.2
    assert site.pending_heals.called == asked
    assert [text for _, text in window.marks] == ["not healed"]
