"""The report on the terminal, 80 columns wide."""

from __future__ import annotations

from rich.bar import Bar
from rich.console import Console, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from rehearsal.progress import duration
from rehearsal.report.figures import COMMON, figures, in_seconds
from rehearsal.report.model import Check, FaultResult, PathStep, Report


def print_report(report: Report, console: Console) -> None:
    """Print the report; the failed checks once more and the verdict come last, next to the prompt."""
    section(console, f"{report.stack}: up in {duration(report.up_seconds)}", path_table(report.critical_path))
    if report.faults:
        section(console, "Faults", fault_table(report.faults))
    if any(map(own_figures, report.faults)):
        section(console, "Figures of single faults", figure_table(report.faults))
    if report.checks:
        section(console, "Checks", check_table(report.checks_by_fault))
    console.print(f"\nStand-ins: {len(report.stand_ins)}, listed in report.html", style="dim", highlight=False)
    for check in report.failed:
        console.print(Text(f"FAILED  {check.title}: {check.measured} (limit: {check.limit})", style="red"))
    console.print(Text(report.verdict, style="bold green" if report.ok else "bold red"))


def section(console: Console, title: str, content: RenderableType) -> None:
    console.print(Text(f"\n{title}", style="bold"))
    console.print(Padding(content, (0, 0, 0, 2)))


def table(*headers: str) -> Table:
    columns = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    for header in headers:
        columns.add_column(header)
    return columns


def path_table(path: list[PathStep]) -> Table:
    """The critical path from the first resource to the last; the bars show when each was created."""
    rows = table("critical path", "took", "")
    rows.columns[0].no_wrap, rows.columns[0].ratio = True, 2
    rows.columns[1].justify, rows.columns[2].ratio = "right", 1
    total, begun = sum(step.seconds for step in path), 0.0
    for step in path:
        bar = Bar(total, begun, begun + step.seconds, color="blue")
        rows.add_row(Text(step.resource), in_seconds(step.seconds), bar)
        begun += step.seconds
    return rows


def fault_table(faults: list[FaultResult]) -> Table:
    rows = table("\nfault", *(name.replace(" ", "\n") if " " in name else f"\n{name}" for name in COMMON))
    for column in rows.columns[1:]:
        column.justify = "right"
    for fault in faults:
        found = figures(fault)
        rows.add_row(Text(fault.name), *(found.get(name, "-") for name in COMMON))
    return rows


def own_figures(fault: FaultResult) -> dict[str, str]:
    """The figures that only this kind of fault has."""
    return {name: value for name, value in figures(fault).items() if name not in COMMON}


def figure_table(faults: list[FaultResult]) -> Table:
    rows = table("fault", "figure", "measured")
    rows.columns[2].justify = "right"
    for fault in faults:
        for number, (name, value) in enumerate(own_figures(fault).items()):
            rows.add_row(Text("" if number else fault.name), Text(name), value)
    return rows


def check_table(groups: dict[str | None, list[Check]]) -> Table:
    """The checks of each fault under its name; faults with a failed check come first."""
    rows = table("result", "check", "measured", "limit")
    for fault, checks in sorted(groups.items(), key=lambda group: all(check.passed for check in group[1])):
        rows.add_row()
        rows.add_row("", Text(f"{fault or 'without a fault'}:", style="bold"))
        for check in checks:
            result = Text("passed", style="green") if check.passed else Text("FAILED", style="bold red")
            rows.add_row(result, Text(check.name), Text(check.measured), Text(check.limit))
    return rows
