"""Write what replacements took, from the last reports of the drills, into docs/operations.md.

Usage: python -m tools.replacements

A replacement without a report in reports/ keeps its figures. A report of one fault is enough for that one.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from rehearsal.report.figures import in_seconds
from rehearsal.report.model import FaultResult, Report
from tools.reports import passed_reports

PAGE = Path(__file__).parents[1] / "docs" / "operations.md"

HEADER = (
    "| stack | lost | without pages | without writes | `pulumi up` | to full redundancy | writes lost |\n"
    "|---|---|---|---|---|---|---|\n"
)
ROW = re.compile(r"^\| `(.+?)` \| (.+?) \|.*\n", re.MULTILINE)
"""A row of the table: the stack, and the name of the fault."""
TABLE = re.compile(rf"(?<={re.escape(HEADER)})({ROW.pattern})*", re.MULTILINE)


def main() -> None:
    """Write docs/operations.md; exits with a message when a report has a failed check."""
    reports = passed_reports()
    PAGE.write_text(page(PAGE.read_text(), reports.values()))
    print(f"docs/operations.md shows the reports of: {', '.join(reports) or 'no stack'}")


def page(text: str, reports: Iterable[Report]) -> str:
    """The page with a row for each replacement of these reports, and the rows that it has of others."""
    found = TABLE.search(text)
    assert found
    rows = {(row[1], row[2]): row[0] for row in ROW.finditer(found[0])}
    for report in reports:
        for fault in report.faults:
            if fault.full_redundancy_seconds is not None:
                rows[report.stack, fault.name] = row_of(report.stack, fault)
    return text[: found.start()] + "".join(rows[key] for key in sorted(rows)) + text[found.end() :]


def row_of(stack: str, fault: FaultResult) -> str:
    """The row of one replacement."""
    seconds = (
        fault.page_outage_seconds,
        fault.write_outage_seconds,
        fault.up_seconds,
        fault.full_redundancy_seconds,
    )
    cells = [in_seconds(each) if each is not None else "" for each in seconds]
    lost = f"{fault.lost_acknowledged_writes:,} of {fault.acknowledged_writes:,}"
    return f"| {' | '.join([f'`{stack}`', fault.name, *cells, lost])} |\n"


if __name__ == "__main__":
    main()
