"""Write the README's figures: prices from the tables of the clouds, measurements from the last reports of the drills.

Usage: python -m tools.readme

A stack without a report in reports/ keeps its measurements. Run whole drills before: a report of `--faults` shows only
these.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from io import StringIO
from pathlib import Path

from rich.console import Console

from components.config.loader import parse
from components.factory import create_web_stack, monthly_price
from components.site import site_spec
from rehearsal.deploy.stacks import stack_settings
from rehearsal.progress import duration
from rehearsal.report.figures import in_seconds
from rehearsal.report.model import FaultResult, Report
from rehearsal.report.terminal import check_table, fault_table, section
from tools.reports import passed_reports

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"
SHOWN = "aws-wordpress"
"""The stack whose output the README shows."""

ROW = re.compile(r"^\| `([\w-]+)` \| (.*) \| (.*) \| (.*) \|$", re.MULTILINE)
"""A row of the table of stacks: the stack, what it builds, its price, and what its rehearsal measured."""
SAMPLE = re.compile(rf"^```\n{SHOWN}: .*?\n```$", re.MULTILINE | re.DOTALL)

NODE = re.compile(r"^[a-z]+\d+(?= |'s )")
"""The node in the name of a fault: the table shows the worst figures of all nodes."""

OUTAGES = {
    "address_outage_seconds": "without the address",
    "write_outage_seconds": "without writes",
    "page_outage_seconds": "without pages",
}
"""Figures of a fault that the table shows in any case, with what was missing for that time."""


def main() -> None:
    """Write README.md; exits with a message when a report has a failed check or no fault."""
    reports = passed_reports()
    README.write_text(page(README.read_text(), reports))
    print(f"README.md shows the reports of: {', '.join(reports) or 'no stack'}")


def page(text: str, reports: Mapping[str, Report]) -> str:
    """The README with these reports' figures, by the stack's name, and with the price of every stack."""

    def row(found: re.Match[str]) -> str:
        stack, builds, _, measured = found.groups()
        if stack in reports:
            measured = "<br>".join(measurements(reports[stack]))
        return f"| `{stack}` | {builds} | {price(stack)} | {measured} |"

    text = ROW.sub(row, text)
    if SHOWN in reports:
        shown = sample(reports[SHOWN])
        text = SAMPLE.sub(lambda _: f"```\n{shown}\n```", text)
    return text


def price(stack: str) -> str:
    """What a stack costs a month, as a cell of the table."""
    config = {
        key.removeprefix("ha-wordpress:"): value if isinstance(value, str) else json.dumps(value)
        for key, value in stack_settings(stack).items()
    }
    if config.get("cloud") == "existing":
        return "your machines"
    settings = parse(config)
    found = monthly_price(settings, site_spec(settings, create_web_stack(settings)))
    assert found
    return f"{found.usd:.0f} USD"


def measurements(report: Report) -> Iterator[str]:
    """What the table shows of each kind of fault, in the order of the drill; nothing of one without figures."""
    kinds: dict[str, list[FaultResult]] = {}
    for fault in report.faults:
        kinds.setdefault(NODE.sub("a node", fault.name), []).append(fault)
    for kind, faults in kinds.items():
        if figures := list(fault_figures(faults)):
            at_most = "at most " if len(faults) > 1 else ""
            yield f"{kind}: {at_most}{', '.join(figures)}"


def fault_figures(faults: Sequence[FaultResult]) -> Iterator[str]:
    """The worst figures of the faults of one kind."""
    found = [fault.model_dump() for fault in faults]

    def worst(name: str) -> float | None:
        return max((each[name] for each in found if each.get(name) is not None), default=None)

    if (ban := worst("ban_seconds")) is not None:
        yield f"every attacker banned in {in_seconds(ban)}"
        yield f"{worst('legitimate_failures')} legitimate requests failed"
    for each in found:
        if "login_page_during_seconds" in each:
            times = each["login_page_during_seconds"] / each["login_page_before_seconds"]
            yield f"a login page takes {times:.1f} times as long"
    if slowest := worst("slowest_return_seconds"):
        yield f"each is back within {in_seconds(slowest)}"
    for name, missing in OUTAGES.items():
        if outage := worst(name):
            yield f"{in_seconds(outage)} {missing}"
    if visits := sum(each.get("visits", 0) for each in found):
        lost = {name: sum(each.get(name, 0) for each in found) for name in ("lost_sessions", "lost_visits")}
        yield f"{lost['lost_sessions']} sessions and {lost['lost_visits']} of {visits:,} visits lost"


def sample(report: Report) -> str:
    """The end of a drill's output: its faults, the checks of the first fault that stopped writes, and the verdict."""
    output = StringIO()
    console = Console(file=output, width=80, color_system=None)
    console.print(f"{report.stack}: up in {duration(report.up_seconds)}", highlight=False)
    section(console, "Faults", fault_table(report.faults))
    fault = next((fault.name for fault in report.faults if fault.write_outage_seconds), report.faults[0].name)
    console.print("\n...")
    section(console, "Checks", check_table({fault: report.checks_by_fault[fault]}))
    console.print("  ...\n")
    console.print(report.verdict, highlight=False)
    return "\n".join(line.rstrip() for line in output.getvalue().rstrip().splitlines())


if __name__ == "__main__":
    main()
