"""The report as one page, without a script or another file."""

from __future__ import annotations

from pathlib import Path

import jinja2

from rehearsal.progress import duration
from rehearsal.report.figures import figures, in_seconds
from rehearsal.report.model import PAUSE, GraphNode, Report
from rehearsal.report.timeline import TimeAxis, merge_attempts, time_axis


def page(report: Report) -> str:
    """Render the page."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    environment.filters |= {
        "duration": duration, "in_seconds": in_seconds, "figures": figures, "merge_attempts": merge_attempts,
        "time_axis": time_axis,
    }  # fmt: skip
    return environment.get_template("report.html.j2").render(
        report=report, drawn=drawn(report), up_axis=TimeAxis(0, report.up_seconds), pause=PAUSE
    )


def drawn(report: Report) -> list[GraphNode]:
    """The resources in the figure: the critical path, and all that took at least a hundredth of the first `up`."""
    critical = {step.resource for step in report.critical_path}
    return [
        node for node in report.graph if node.resource in critical or node.end - node.start >= report.up_seconds / 100
    ]
