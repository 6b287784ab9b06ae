"""The report says all that was found, in each of its forms. All figures here are made up."""

from __future__ import annotations

import io
import json
from html.parser import HTMLParser
from pathlib import Path

import jinja2
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from rehearsal.report.model import (
    PAUSE,
    Attempt,
    Check,
    FaultResult,
    GraphNode,
    Lane,
    Mark,
    PathStep,
    Report,
    stretches,
)
from rehearsal.report.timeline import Timeline


class Flood(FaultResult):
    """A fault whose figures the report has never heard of."""

    ban_seconds: float
    wrong_bans: int


def served(begin: float, end: float) -> list[Attempt]:
    """Quick good answers, ten a second."""
    return [Attempt(at=begin + n / 10, seconds=0.05, ok=True) for n in range(round((end - begin) * 10))]


@pytest.fixture
def report() -> Report:
    stalled = [*served(-2, 0), Attempt(at=0, seconds=4.1, ok=True), *served(4.2, 10)]
    refused = [Attempt(at=n / 10, seconds=0.01, ok=False, error="status <503>") for n in range(50)]
    return Report(
        stack="made-up-stack",
        stand_ins=["aws:ec2/instance:Instance"],
        up_seconds=83.456,
        critical_path=[PathStep(resource="Vpc network", seconds=3), PathStep(resource="Command [gfs1]", seconds=77)],
        critical_path_seconds=80,
        second_up_changes=0,
        faults=[
            FaultResult(
                name="gfs1 loses power",
                write_outage_seconds=4.1519,
                page_outage_seconds=12.04,
                acknowledged_writes=1284,
                lost_acknowledged_writes=0,
                marks=[Mark(at=0, text="gfs1 loses power"), Mark(at=5.5, text="gfs1 has power again")],
                timeline=[
                    Lane(kind="write", client="gfs2", attempts=stalled),
                    Lane(kind="page", client="visitor 1", attempts=[*served(-2, 0), *refused, *served(5, 10)]),
                    Lane(kind="read", client="gfs1", attempts=served(-2, 0)),
                ],
            ),
            Flood(name="flood", ban_seconds=3.25, wrong_bans=0),
        ],
        checks=[
            Check(name="gfs1 loses power: writes", held=True, measured="4.2 s", limit="at most 8 s"),
            Check(name="gfs1 loses power: pages", held=False, measured="12.0 s", limit="at most 12 s"),
        ],
        graph=[
            GraphNode(resource="Vpc network", type="aws:ec2/vpc:Vpc", start=0.5, end=3, waits_for=[]),
            GraphNode(resource="Subnet b", type="aws:ec2/subnet:Subnet", start=3, end=3.1, waits_for=["Vpc network"]),
            GraphNode(resource="Command [gfs1]", type="command:remote:Command", start=3, end=80, waits_for=[]),
        ],
    )


def test_report_json_has_the_fields_that_others_read(report: Report, tmp_path: Path) -> None:
    report.write(tmp_path)
    written = json.loads((tmp_path / "report.json").read_text())
    assert written.keys() >= {
        "stack", "stand_ins", "up_seconds", "critical_path", "critical_path_seconds", "second_up_changes", "faults",
        "checks",
    }  # fmt: skip
    assert written["critical_path"][0] == {"resource": "Vpc network", "seconds": 3}
    assert written["checks"][1] == {
        "fault": None, "name": "gfs1 loses power: pages", "held": False, "measured": "12.0 s", "limit": "at most 12 s",
    }  # fmt: skip
    figures = {name: value for name, value in written["faults"][0].items() if name not in ("marks", "timeline")}
    assert figures == {
        "name": "gfs1 loses power",
        "read_outage_seconds": None,
        "write_outage_seconds": 4.152,
        "page_outage_seconds": 12.04,
        "acknowledged_writes": 1284,
        "lost_acknowledged_writes": 0,
        "heal_seconds": None,
    }
    assert written["faults"][1]["ban_seconds"] == 3.25
    assert written["faults"][0]["timeline"][0]["attempts"] == [
        {"at": -2, "seconds": 1.95, "ok": True, "error": None, "count": 20},
        {"at": 0, "seconds": 4.1, "ok": True, "error": None, "count": 1},
        {"at": 4.2, "seconds": 5.75, "ok": True, "error": None, "count": 58},
    ]


def test_nothing_is_lost_on_the_way_through_json(report: Report) -> None:
    returned = Report.model_validate_json(report.model_dump_json())
    assert returned.html() == report.html()
    assert returned.faults[1].figures == {"ban": "3.2 s", "wrong bans": "0"}


def test_a_report_that_cannot_be_made_leaves_the_last_one_alone(report: Report, tmp_path: Path) -> None:
    report.write(tmp_path)
    before = {file.name: file.read_text() for file in tmp_path.iterdir()}
    report.finished = None  # type: ignore[assignment]
    with pytest.raises(jinja2.UndefinedError):
        report.write(tmp_path)
    assert {file.name: file.read_text() for file in tmp_path.iterdir()} == before
    assert before.keys() == {"report.json", "report.html"}


def test_broken_promises_are_named(report: Report) -> None:
    assert not report.ok
    assert report.verdict == "1 of 2 promises broken"
    assert [check.name for check in report.broken] == ["gfs1 loses power: pages"]
    report.checks.pop()
    assert report.ok
    assert report.verdict == "1 of 1 promises held"


def printed(report: Report, *, terminal: bool) -> str:
    output = io.StringIO()
    report.print(Console(file=output, width=80, force_terminal=terminal))
    return output.getvalue()


def test_the_terminal_form_fits_80_columns_and_is_plain_without_a_terminal(report: Report) -> None:
    report.faults += [FaultResult(name=f"a fault with a long name, number {n}", heal_seconds=n) for n in range(4)]
    report.checks[0].name = f"a promise {'of very many words ' * 8}"
    text = printed(report, terminal=False)
    assert max(map(len, text.splitlines())) <= 80
    assert "\x1b" not in text
    assert "\x1b" in printed(report, terminal=True)


def test_the_terminal_form_ends_with_the_verdict_and_what_broke_it(report: Report) -> None:
    lines = printed(report, terminal=False).splitlines()
    assert lines[-2:] == ["1 of 2 promises broken", "  broken: gfs1 loses power: pages: 12.0 s, not at most 12 s"]
    assert any("Command [gfs1]" in line and "77.0 s" in line for line in lines)
    assert any(line.split() == ["page", "outage", "12.0", "s", "-"] for line in lines)
    assert any(line.split() == ["ban", "-", "3.2", "s"] for line in lines)


class Page(HTMLParser):
    """Every tag of a page with its attributes, and its text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]

    def rectangles(self, *kinds: str) -> list[str | None]:
        return [found["class"] for found in self.all("rect") if found["class"] in kinds]


def test_the_page_needs_nothing_but_itself(report: Report) -> None:
    page = Page(report.html())
    assert not {tag for tag, _ in page.tags} & {"script", "link", "img", "iframe", "object", "embed", "image", "use"}
    assert not [attributes for _, attributes in page.tags if attributes.keys() & {"src", "href", "srcset"}]
    assert "url(" not in report.html()
    assert "@import" not in report.html()


def test_what_was_measured_is_text_on_the_page_and_never_markup(report: Report) -> None:
    page = Page(report.html())
    for text in (
        "1 of 2 promises broken",
        "50 times status <503>",
        "gfs1 has power again",
        "1,284",
        "3.2 s",
        "wrong bans",
    ):
        assert text in page.text


def test_each_picture_has_a_text_alternative(report: Report) -> None:
    page = Page(report.html())
    drawings = page.all("svg")
    assert len(drawings) == 2
    assert all(drawing["role"] == "img" and drawing["aria-label"] for drawing in drawings)
    assert len(page.all("details")) == 2


def test_the_timeline_shows_stalls_and_failures_apart(report: Report) -> None:
    assert Page(report.html()).rectangles("served", "slow", "failed") == [
        "served", "slow", "served",
        "served", "failed", "served",
        "served",
    ]  # fmt: skip


def test_the_graph_leaves_out_what_is_quick_and_beside_the_critical_path(report: Report) -> None:
    page = Page(report.html())
    assert page.rectangles("critical", "made") == ["critical", "critical"]
    assert "Not drawn: 1 more" in page.text
    assert "Subnet b" in page.text


def test_a_report_of_nothing_but_an_up_is_whole(report: Report, tmp_path: Path) -> None:
    report.faults, report.checks, report.graph, report.critical_path = [], [], [], []
    report.write(tmp_path)
    assert "1 min 23 s" in Page((tmp_path / "report.html").read_text()).text
    assert "up in 1 min 23 s" in printed(report, terminal=False)


def test_a_lane_measures_the_longest_outage_from_the_fault_to_its_last_attempt(report: Report) -> None:
    stalled, refused, gone = report.faults[0].timeline
    assert stalled.longest_outage == pytest.approx(4.1)
    assert refused.longest_outage == pytest.approx(5.05)
    assert gone.longest_outage == 0


@st.composite
def one_after_another(draw: st.DrawFn) -> list[Attempt]:
    """What one client may have tried."""
    attempts, at = [], draw(st.floats(-5, 0))
    for pause, seconds, error in draw(
        st.lists(
            st.tuples(st.floats(0, 1), st.floats(0, 1), st.sampled_from([None, "refused", "timeout"])), max_size=40
        )
    ):
        at += pause
        attempts.append(Attempt(at=at, seconds=seconds, ok=error is None, error=error))
        at += seconds
    return attempts


@given(one_after_another())
def test_stretches_tell_the_same_in_fewer(attempts: list[Attempt]) -> None:
    merged = stretches(attempts)
    assert sum(stretch.count for stretch in merged) == len(attempts)
    assert (
        Lane(kind="read", client="", attempts=merged).errors == Lane(kind="read", client="", attempts=attempts).errors
    )
    for attempt in attempts:
        around = [s for s in merged if s.at <= attempt.at and attempt.end <= s.end + 1e-9 and s.error == attempt.error]
        assert around
        assert not attempt.slow or attempt in merged
    covered = sum(stretch.seconds for stretch in merged)
    assert covered <= sum(attempt.seconds for attempt in attempts) + PAUSE * (len(attempts) - len(merged)) + 1e-9
    assert stretches(merged) == merged


@given(st.floats(-100, 100), st.floats(0, 10_000))
def test_an_axis_has_few_round_ticks_that_lie_on_it(first: float, span: float) -> None:
    time_axis = Timeline(first, first + span)
    assert len(time_axis.ticks) <= 7
    assert all(0 <= time_axis.place(tick) <= 100 for tick in time_axis.ticks)
    assert len(time_axis.ticks) >= 2 or span < 5


def test_marks_that_are_near_each_other_go_on_different_lines() -> None:
    assert Timeline(0, 100).levels([0, 20, 22, 23, 29]) == [0, 0, 1, 2, 0]
