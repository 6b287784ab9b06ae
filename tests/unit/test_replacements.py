"""The figures of replaced nodes in docs/operations.md: `make replacements` writes them."""

from __future__ import annotations

from rehearsal.report.model import Check, FaultResult, Report
from tools.replacements import HEADER, PAGE, page

KEPT = "| `z` | gfs1 is gone | 1.0 s | 2.0 s | 3.0 s | 4.0 s | 0 of 5 |\n"
OLD = "| `aws` | gfs9 is gone | 9.0 s | 9.0 s | 9.0 s | 9.0 s | 9 of 9 |\n"
NEW = "| `aws` | gfs9 is gone | 5.6 s | 5.1 s | 64.2 s | 1,164.0 s | 0 of 1,684 |\n"
TEXT = f"before\n\n{HEADER}{OLD}{KEPT}\nafter\n"


def report() -> Report:
    return Report(
        stack="aws",
        stand_ins=[],
        up_seconds=77.7,
        critical_path=[],
        critical_path_seconds=0,
        second_up_changes=0,
        faults=[
            FaultResult(name="gfs1 loses power", page_outage_seconds=6.6),
            FaultResult(
                name="gfs9 is gone",
                page_outage_seconds=5.6,
                write_outage_seconds=5.14,
                up_seconds=64.2,
                full_redundancy_seconds=1164,
                acknowledged_writes=1684,
                lost_acknowledged_writes=0,
            ),
        ],
        checks=[Check(name="resources changed by a second up", passed=True, measured="0", limit="0")],
    )


def test_a_report_replaces_its_own_rows_only() -> None:
    assert page(TEXT, [report()]) == f"before\n\n{HEADER}{NEW}{KEPT}\nafter\n"
    assert page(HEADER, [report()]) == f"{HEADER}{NEW}"


def test_the_page_has_one_table_of_replacements() -> None:
    assert PAGE.read_text().count(HEADER) == 1
