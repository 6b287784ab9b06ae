"""The report, in each of its forms, has everything that was measured. The figures of these tests are invented."""

from __future__ import annotations

import io
import json
import shutil
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

import jinja2
import pytest
from hypothesis import given
from hypothesis import strategies as st
from playwright.sync_api import Browser, sync_playwright
from rich.console import Console

from rehearsal.report import html
from rehearsal.report.figures import figures
from rehearsal.report.files import write
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
)
from rehearsal.report.terminal import print_report
from rehearsal.report.timeline import LABEL_WIDTH, TimeAxis, merge_attempts


class FloodResult(FaultResult):
    """A fault with figures that the report's model does not name."""

    ban_seconds: float
    wrong_bans: int
    cached_p99_ms: float


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
            FloodResult(name="flood", ban_seconds=3.25, wrong_bans=0, cached_p99_ms=3.1),
        ],
        checks=[
            Check(name="a second up changes nothing", passed=True, measured="yes", limit="yes"),
            Check(fault="gfs1 loses power", name="write outage", passed=True, measured="4.2 s", limit="<= 8 s"),
            Check(fault="gfs1 loses power", name="page outage", passed=False, measured="12.0 s", limit="<= 12 s"),
        ],
        graph=[
            GraphNode(resource="Vpc network", type="aws:ec2/vpc:Vpc", start=0.5, end=3, waits_for=[]),
            GraphNode(resource="Subnet b", type="aws:ec2/subnet:Subnet", start=3, end=3.1, waits_for=["Vpc network"]),
            GraphNode(resource="Command [gfs1]", type="command:remote:Command", start=3, end=80, waits_for=[]),
        ],
    )


def test_report_json_has_the_fields_that_its_readers_use(report: Report, tmp_path: Path) -> None:
    write(report, tmp_path)
    written = json.loads((tmp_path / "report.json").read_text())
    assert written.keys() >= {
        "stack", "stand_ins", "up_seconds", "critical_path", "critical_path_seconds", "second_up_changes", "faults",
        "checks",
    }  # fmt: skip
    assert written["critical_path"][0] == {"resource": "Vpc network", "seconds": 3}
    assert written["checks"][0]["fault"] is None
    assert written["checks"][2] == {
        "fault": "gfs1 loses power", "name": "page outage", "passed": False, "measured": "12.0 s", "limit": "<= 12 s",
    }  # fmt: skip
    fields = {name: value for name, value in written["faults"][0].items() if name not in ("marks", "timeline")}
    assert fields == {
        "name": "gfs1 loses power",
        "read_outage_seconds": None,
        "write_outage_seconds": 4.152,
        "page_outage_seconds": 12.04,
        "acknowledged_writes": 1284,
        "lost_acknowledged_writes": 0,
        "heal_seconds": None,
        "up_seconds": None,
        "full_redundancy_seconds": None,
    }
    assert written["faults"][1]["ban_seconds"] == 3.25
    assert written["faults"][0]["timeline"][0]["attempts"] == [
        {"at": -2, "seconds": 1.95, "ok": True, "error": None, "count": 20},
        {"at": 0, "seconds": 4.1, "ok": True, "error": None, "count": 1},
        {"at": 4.2, "seconds": 5.75, "ok": True, "error": None, "count": 58},
    ]


def test_a_report_survives_json_unchanged(report: Report) -> None:
    assert html.page(Report.model_validate_json(report.model_dump_json())) == html.page(report)


def test_a_page_that_cannot_be_rendered_leaves_the_last_report_alone(report: Report, tmp_path: Path) -> None:
    write(report, tmp_path)
    before = {file.name: file.read_text() for file in tmp_path.iterdir()}
    report.finished = None  # type: ignore[assignment]
    with pytest.raises(jinja2.UndefinedError):
        write(report, tmp_path)
    assert {file.name: file.read_text() for file in tmp_path.iterdir()} == before
    assert before.keys() == {"report.json", "report.html"}


def test_the_verdict_counts_the_failed_checks(report: Report) -> None:
    assert not report.ok
    assert report.verdict == "1 of 3 checks failed"
    assert [check.title for check in report.failed] == ["gfs1 loses power: page outage"]
    report.checks.pop()
    assert report.ok
    assert report.verdict == "2 of 2 checks passed"


def test_checks_are_grouped_by_fault_with_the_failed_first(report: Report) -> None:
    groups = [(fault, [check.name for check in checks]) for fault, checks in report.checks_by_fault.items()]
    assert groups == [
        (None, ["a second up changes nothing"]),
        ("gfs1 loses power", ["page outage", "write outage"]),
    ]


def test_every_figure_has_its_unit(report: Report) -> None:
    power, flood = Report.model_validate_json(report.model_dump_json()).faults
    assert figures(power) == {"write outage": "4.2 s", "page outage": "12.0 s", "writes lost": "0 / 1,284"}
    assert figures(flood) == {"ban": "3.2 s", "wrong bans": "0", "cached p99": "3.1 ms"}


def printed(report: Report, *, terminal: bool = False) -> str:
    output = io.StringIO()
    print_report(report, Console(file=output, width=80, force_terminal=terminal))
    return output.getvalue()


def test_the_terminal_output_fits_80_columns_and_is_plain_without_a_terminal(report: Report) -> None:
    report.faults += [FaultResult(name=f"a fault with a long name, number {n}", heal_seconds=n) for n in range(4)]
    report.checks[0].name = f"a check {'of very many words ' * 8}"
    text = printed(report)
    assert max(map(len, text.splitlines())) <= 80
    assert "\x1b" not in text
    assert "\x1b" in printed(report, terminal=True)


def test_the_terminal_output_ends_with_the_failed_checks_and_the_verdict(report: Report) -> None:
    lines = printed(report).splitlines()
    assert lines[-2:] == ["FAILED  gfs1 loses power: page outage: 12.0 s (limit: <= 12 s)", "1 of 3 checks failed"]


def rows(report: Report) -> list[str]:
    """The printed lines with single spaces."""
    return [" ".join(line.split()) for line in printed(report).splitlines()]


def test_every_table_on_the_terminal_has_headers(report: Report) -> None:
    assert {
        "critical path took",
        "read write page writes",
        "fault outage outage outage heal lost",
        "fault figure measured",
        "result check measured limit",
    } <= {*rows(report)}


def test_the_terminal_shows_every_step_figure_and_check(report: Report) -> None:
    lines = rows(report)
    assert any(line.startswith("Command [gfs1] 77.0 s") for line in lines)
    assert "gfs1 loses power - 4.2 s 12.0 s - 0 / 1,284" in lines
    assert "flood ban 3.2 s" in lines
    first = lines.index("gfs1 loses power:")
    assert lines[first + 1 : first + 3] == ["FAILED page outage 12.0 s <= 12 s", "passed write outage 4.2 s <= 8 s"]
    assert lines.index("without a fault:") > first


class Page(HTMLParser):
    """Every tag of a page with its attributes, and its text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]

    def rectangles(self, *kinds: str) -> list[str | None]:
        return [found["class"] for found in self.all("rect") if found["class"] in kinds]


def test_the_page_needs_no_script_and_no_other_file(report: Report) -> None:
    page = Page(html.page(report))
    assert not {tag for tag, _ in page.tags} & {"script", "link", "img", "iframe", "object", "embed", "image", "use"}
    assert not [attributes for _, attributes in page.tags if attributes.keys() & {"src", "href", "srcset"}]
    assert "url(" not in html.page(report)
    assert "@import" not in html.page(report)


def test_measured_text_is_on_the_page_and_never_markup(report: Report) -> None:
    page = Page(html.page(report))
    for text in (
        "1 of 3 checks failed",
        "50 times status <503>",
        "gfs1 has power again",
        "1,284",
        "3.2 s",
        "wrong bans",
    ):
        assert text in page.text


def test_the_page_lists_failed_checks_first_and_every_check_at_its_fault(report: Report) -> None:
    text = Page(html.page(report)).text
    sections = [
        "Failed checks", "gfs1 loses power: page outage", "Faults", "page outage", "write outage",
        "Checks without a fault", "a second up changes nothing",
    ]  # fmt: skip
    at = 0
    for section in sections:
        at = text.index(section, at) + 1
    report.checks.pop()
    assert "Failed checks" not in Page(html.page(report)).text


def test_every_column_of_every_table_has_a_header(report: Report) -> None:
    for table in html.page(report).split("<thead>")[1:]:
        columns = Page(table.split("</thead>")[0]).all("th")
        cells = Page(table.split("<tbody>")[1].split("</tr>")[0])
        assert all(column["scope"] == "col" for column in columns)
        assert len(columns) == len(cells.all("td")) + len(cells.all("th")) > 0


def test_each_drawing_has_a_text_alternative(report: Report) -> None:
    page = Page(html.page(report))
    drawings = [attributes for attributes in page.all("div") if attributes.get("role") == "img"]
    assert len(drawings) == 2
    assert all(drawing["aria-label"] for drawing in drawings)
    assert len(page.all("details")) == 2


def test_the_timeline_draws_slow_and_failed_attempts_apart_and_each_outage(report: Report) -> None:
    assert Page(html.page(report)).rectangles("served", "slow", "failed", "outage") == [
        "outage", "served", "slow", "served",
        "outage", "served", "failed", "served",
        "served",
    ]  # fmt: skip


def test_the_graph_leaves_out_quick_resources_that_are_not_on_the_critical_path(report: Report) -> None:
    page = Page(html.page(report))
    assert page.rectangles("critical", "other") == ["critical", "critical"]
    assert "Not drawn: 1 resources" in page.text
    assert "Subnet b" in page.text


def test_a_report_without_faults_checks_and_graph_is_complete(report: Report, tmp_path: Path) -> None:
    report.faults, report.checks, report.graph, report.critical_path = [], [], [], []
    write(report, tmp_path)
    assert "1 min 23 s" in Page((tmp_path / "report.html").read_text()).text
    assert "up in 1 min 23 s" in printed(report)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.skip("there is no chromium on PATH; Debian's package chromium has it")
    arguments = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
    with sync_playwright() as playwright, playwright.chromium.launch(executable_path=chromium, args=arguments) as found:
        yield found


@pytest.mark.parametrize("width", [390, 1280])
def test_nothing_on_the_page_is_wider_than_the_screen(report: Report, browser: Browser, width: int) -> None:
    report.checks[2].measured = f"{'word ' * 40}{'x' * 80}"
    lane = report.faults[0].timeline[1]
    lane.client, lane.attempts[-1] = "a visitor with a long name", Attempt(at=9, seconds=1, ok=False, error="x" * 80)
    with browser.new_page(viewport={"width": width, "height": 900}) as page:
        page.set_content(html.page(report))
        for details in page.locator("summary").all():
            details.click()
        assert page.evaluate("document.documentElement.scrollWidth") == width
        cut = """() => [...document.querySelectorAll('main *:not(svg, svg *, .wide *)')]
            .filter(element => element.getBoundingClientRect().right > innerWidth)
            .map(element => element.outerHTML)"""
        assert page.evaluate(cut) == []


def test_the_longest_outage_lies_between_the_fault_and_the_last_attempt(report: Report) -> None:
    stalled, refused, gone = report.faults[0].timeline
    assert stalled.outage == pytest.approx((0, 4.1))
    assert refused.outage == pytest.approx((0, 5.05))
    assert gone.longest_outage == 0


def test_merged_attempts_have_the_outage_of_the_single_ones(report: Report) -> None:
    for lane in report.faults[0].timeline:
        merged = lane.model_copy(update={"attempts": merge_attempts(lane.attempts)})
        assert merged.outage == pytest.approx(lane.outage, abs=PAUSE)


@st.composite
def one_after_another(draw: st.DrawFn) -> list[Attempt]:
    """The attempts of one client."""
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
def test_merged_attempts_keep_every_count_error_and_slow_attempt(attempts: list[Attempt]) -> None:
    merged = merge_attempts(attempts)
    assert sum(attempt.count for attempt in merged) == len(attempts)
    assert (
        Lane(kind="read", client="", attempts=merged).errors == Lane(kind="read", client="", attempts=attempts).errors
    )
    for attempt in attempts:
        around = [s for s in merged if s.at <= attempt.at and attempt.end <= s.end + 1e-9 and s.error == attempt.error]
        assert around
        assert not attempt.slow or attempt in merged
    covered = sum(attempt.seconds for attempt in merged)
    assert covered <= sum(attempt.seconds for attempt in attempts) + PAUSE * (len(attempts) - len(merged)) + 1e-9
    assert merge_attempts(merged) == merged


@given(st.floats(-100, 100), st.floats(0, 10_000))
def test_a_time_axis_has_few_round_ticks_that_lie_on_it(first: float, span: float) -> None:
    axis = TimeAxis(first, first + span)
    assert len(axis.ticks) <= 7
    assert all(0 <= axis.position(tick) <= 100 for tick in axis.ticks)
    assert len(axis.ticks) >= 2 or span < 5


def test_labels_that_would_overlap_go_on_different_lines() -> None:
    near, clear = LABEL_WIDTH - 1, LABEL_WIDTH
    assert TimeAxis(0, 100).levels([0, near, near, clear, 100]) == [0, 1, 2, 0, 0]
