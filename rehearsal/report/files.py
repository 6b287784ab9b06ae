"""The report's files: report.json and report.html."""

from __future__ import annotations

from pathlib import Path

from rehearsal.report import html
from rehearsal.report.model import Report
from rehearsal.report.timeline import merge_attempts


def write(report: Report, directory: Path) -> None:
    """Write `report.json` and `report.html` into a directory; when one cannot be made, the old files stay.

    In `report.json` the attempts of each lane are merged; the page is made from every single attempt.
    """
    brief = report.model_copy(deep=True)
    for fault in brief.faults:
        for lane in fault.timeline:
            lane.attempts = merge_attempts(lane.attempts)
    texts = {"report.json": brief.model_dump_json(indent=1) + "\n", "report.html": html.page(report)}
    directory.mkdir(parents=True, exist_ok=True)
    for name, text in texts.items():
        unfinished = directory / f"{name}.unfinished"
        unfinished.write_text(text, encoding="utf-8")
        unfinished.replace(directory / name)
