"""The figures in the README: `make readme` writes them, and nobody by hand."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from rehearsal.report.model import Check, FaultResult, Report
from tools import readme, reports
from tools.readme import README, ROW, SAMPLE, page

FIGURE = re.compile(r"\d[\d.,]* (s|ms|min|minutes|times|USD|of \d+ checks)\b")


def report(stack: str, *, passed: bool = True) -> Report:
    return Report(
        stack=stack,
        stand_ins=[],
        up_seconds=77.7,
        critical_path=[],
        critical_path_seconds=0,
        second_up_changes=0,
        faults=[
            FaultResult.model_validate(
                {
                    "name": "flood",
                    "page_outage_seconds": 1.25,
                    "ban_seconds": 1.04,
                    "legitimate_failures": 0,
                    "wrong_bans": 0,
                }
            ),
            FaultResult.model_validate(
                {
                    "name": "flood past the cache",
                    "login_page_before_seconds": 0.1,
                    "login_page_during_seconds": 0.14,
                }
            ),
            FaultResult(name="compromised PHP"),
            FaultResult(
                name="gfs9 loses power",
                write_outage_seconds=4.36,
                page_outage_seconds=6.6,
                acknowledged_writes=1234,
                lost_acknowledged_writes=0,
            ),
            FaultResult.model_validate(
                {
                    "name": "php9 loses power",
                    "address_outage_seconds": 2.4,
                    "page_outage_seconds": 7.12,
                    "visits": 1300,
                    "lost_visits": 0,
                    "lost_sessions": 0,
                }
            ),
        ],
        checks=[
            Check(fault="gfs9 loses power", name="write outage", passed=passed, measured="4.4 s", limit="<= 8 s"),
            Check(name="resources changed by a second up", passed=True, measured="0", limit="0"),
        ],
    )


MEASURED = (
    "flood: every attacker banned in 1.0 s, 0 legitimate requests failed, 1.2 s without pages<br>"
    "flood past the cache: a login page takes 1.4 times as long<br>"
    "a node loses power: at most 2.4 s without the address, 4.4 s without writes, 7.1 s without pages, "
    "0 sessions and 0 of 1,300 visits lost"
)


def test_the_readme_has_a_row_for_every_stack_and_the_output_of_one() -> None:
    text = README.read_text()
    stacks = sorted(path.name.split(".")[1] for path in (readme.ROOT / "stacks").glob("Pulumi.*.yaml"))
    assert sorted(row[1] for row in ROW.finditer(text)) == stacks
    assert len(SAMPLE.findall(text)) == 1


def test_the_prices_in_the_readme_are_those_of_the_tables() -> None:
    assert page(README.read_text(), {}) == README.read_text(), "run make readme"


def test_no_figure_in_the_readme_is_written_by_hand() -> None:
    by_hand = SAMPLE.sub("", ROW.sub("", README.read_text()))
    assert not FIGURE.search(by_hand)
    assert FIGURE.search("a page takes 6.6 s")


def test_a_report_changes_its_own_row_and_the_output() -> None:
    before = README.read_text()
    after = page(before, {"aws-wordpress": report("aws-wordpress")})
    changed = {row[1]: row for row in ROW.finditer(after)}
    for row in ROW.finditer(before):
        if row[1] == "aws-wordpress":
            assert (changed[row[1]][2], changed[row[1]][3]) == (row[2], row[3])
            assert changed[row[1]][4] == MEASURED
        else:
            assert changed[row[1]][0] == row[0]
    (sample,) = (found[0] for found in SAMPLE.finditer(after))
    assert sample.startswith("```\naws-wordpress: up in 1 min 18 s\n\nFaults\n")
    assert re.search(r"\n  gfs9 loses power +- +4\.4 s +6\.6 s +- +0 / 1,234\n", sample)
    assert re.search(r"\n +gfs9 loses power:\n  passed  write outage +4\.4 s +<= 8 s\n  \.\.\.\n", sample)
    assert sample.endswith("\n2 of 2 checks passed\n```")
    assert ROW.sub("", SAMPLE.sub("", after)) == ROW.sub("", SAMPLE.sub("", before))
    assert page(after, {"aws-wordpress": report("aws-wordpress")}) == after


def test_the_readme_shows_no_report_with_a_failed_check(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reports, "REPORTS", tmp_path)
    monkeypatch.setattr(readme, "README", tmp_path / "README.md")
    (tmp_path / "README.md").write_text(README.read_text())
    (tmp_path / "php-sessions").mkdir()
    (tmp_path / "php-sessions/report.json").write_text(report("php-sessions", passed=False).model_dump_json())
    with pytest.raises(
        SystemExit, match=r"reports/php-sessions is not of a drill that passed \(1 of 2 checks failed\)"
    ):
        readme.main()
    assert (tmp_path / "README.md").read_text() == README.read_text()
    (tmp_path / "php-sessions/report.json").write_text(report("php-sessions").model_dump_json())
    readme.main()
    assert MEASURED in (tmp_path / "README.md").read_text()
