"""The last reports of the drills."""

from __future__ import annotations

import sys
from pathlib import Path

from rehearsal.report.model import Report

REPORTS = Path(__file__).parents[1] / "reports"


def passed_reports() -> dict[str, Report]:
    """The reports by stack; exits with a message when one has a failed check or no fault."""
    reports = {
        path.parent.name: Report.model_validate_json(path.read_text()) for path in sorted(REPORTS.glob("*/report.json"))
    }
    for stack, report in reports.items():
        if report.failed or not report.faults:
            sys.exit(f"reports/{stack} is not of a drill that passed ({report.verdict}): rehearse the stack again")
    return reports
