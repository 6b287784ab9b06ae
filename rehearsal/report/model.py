"""What a rehearsal found, in three forms: on the terminal, as report.json, and as one page, report.html."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import jinja2
from pydantic import BaseModel, ConfigDict, Field, PlainSerializer, SerializeAsAny
from rich.bar import Bar
from rich.console import Console, Group
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from rehearsal.progress import duration
from rehearsal.report.timeline import Timeline

TEMPLATES = Path(__file__).parent

ABREAST = 3
"""Faults that the terminal shows side by side."""

PAUSE = 0.5
"""Seconds: a client is served without a break while no answer, and no next attempt, takes longer than this."""

Seconds = Annotated[float, PlainSerializer(lambda seconds: round(seconds, 3), return_type=float)]
"""To the millisecond, which is as good as the clients' clocks."""


class Attempt(BaseModel):
    """What a client tried: it began `at` so many seconds after the fault and took `seconds`; `error`: why it failed.

    `count` is 1, or how many alike in a row it stands for: see `stretches`.
    """

    at: Seconds
    seconds: Seconds
    ok: bool
    error: str | None = None
    count: int = 1

    @property
    def end(self) -> float:
        return self.at + self.seconds

    @property
    def slow(self) -> bool:
        return self.count == 1 and self.seconds > PAUSE

    def continued_by(self, later: Attempt) -> bool:
        alike = (self.ok, self.error) == (later.ok, later.error)
        return alike and not self.slow and not later.slow and later.at - self.end <= PAUSE


def stretches(attempts: Iterable[Attempt]) -> list[Attempt]:
    """The same attempts in as few as tell the same: neighbours that went alike, without a break, become one.

    A slow one stands for itself, for it is an outage, and so does the first after a break.
    """
    merged: list[Attempt] = []
    for attempt in sorted(attempts, key=lambda attempt: attempt.at):
        last = merged[-1] if merged else None
        if last and last.continued_by(attempt):
            longer = {"seconds": attempt.end - last.at, "count": last.count + attempt.count}
            merged[-1] = last.model_copy(update=longer)
        else:
            merged.append(attempt)
    return merged


class Lane(BaseModel):
    """One client through a fault. `kind`: read, write or page; `client`: which one, say `gfs2` or `visitor 1`."""

    kind: str
    client: str
    attempts: list[Attempt]

    @property
    def errors(self) -> Counter[str]:
        """How often each error came."""
        errors: Counter[str] = Counter()
        for attempt in self.attempts:
            if not attempt.ok:
                errors[attempt.error or "failed"] += attempt.count
        return errors

    @property
    def longest_outage(self) -> float:
        """The longest time in seconds, from the fault to the client's last attempt, without a good answer."""
        until = max([0.0, *(attempt.end for attempt in self.attempts)])
        answers = sorted(attempt.end for attempt in self.attempts if attempt.ok and attempt.end >= 0)
        return max(later - earlier for earlier, later in itertools.pairwise([0, *answers, until]))


class Mark(BaseModel):
    """Something that happened `at` seconds after the fault began, in a few words: `gfs1 has power again`."""

    at: Seconds
    text: str


class FaultResult(BaseModel):
    """One fault and its figures; None where it has none of a kind.

    A fault with other figures is a subclass with a field for each. A name that ends in `_seconds` is a time, any other
    number a count, and the report shows them all.
    """

    model_config = ConfigDict(extra="allow")

    name: str
    read_outage_seconds: Seconds | None = None
    write_outage_seconds: Seconds | None = None
    page_outage_seconds: Seconds | None = None
    acknowledged_writes: int | None = None
    lost_acknowledged_writes: int | None = None
    heal_seconds: Seconds | None = None
    marks: list[Mark] = []
    timeline: list[Lane] = []

    @property
    def figures(self) -> dict[str, str]:
        """Every figure that this fault has, as people say it: {"write outage": "4.1 s", "wrong bans": "0"}."""
        return {
            name.removesuffix("_seconds").replace("_", " "): in_seconds(value)
            if name.endswith("_seconds")
            else f"{value:,}"
            for name, value in self
            if isinstance(value, int | float)
        }

    @property
    def time_axis(self) -> Timeline:
        """From the first moment that any client or mark knows of to the last."""
        moments = [mark.at for mark in self.marks]
        for lane in self.timeline:
            moments += [moment for attempt in lane.attempts for moment in (attempt.at, attempt.end)]
        return Timeline(min(moments, default=0), max(moments, default=0))


class Check(BaseModel):
    """A condition of the rehearsal: what was measured, the limit, and the fault it belongs to (None: no fault)."""

    fault: str | None = None
    name: str
    held: bool
    measured: str
    limit: str


class PathStep(BaseModel):
    """A resource on the critical path, and the seconds that it added to the whole."""

    resource: str
    seconds: Seconds


class GraphNode(BaseModel):
    """A resource that `up` made, when in seconds since `up` began, and the resources that it waited for."""

    resource: str
    type: str
    start: Seconds
    end: Seconds
    waits_for: list[str]


class Report(BaseModel):
    """Everything that a rehearsal found out about a stack.

    `stand_ins`: what was not the real thing; `up_seconds`: from nothing to a running site; `second_up_changes`: how
    many resources a second `up` touched.
    """

    stack: str
    finished: datetime = Field(default_factory=lambda: datetime.now(UTC))
    stand_ins: list[str]
    up_seconds: Seconds
    critical_path: list[PathStep]
    critical_path_seconds: Seconds
    second_up_changes: int
    faults: list[SerializeAsAny[FaultResult]] = []
    checks: list[Check] = []
    graph: list[GraphNode] = []

    @property
    def broken(self) -> list[Check]:
        return [check for check in self.checks if not check.held]

    @property
    def ok(self) -> bool:
        return not self.broken

    @property
    def verdict(self) -> str:
        counted, word = (self.checks, "held") if self.ok else (self.broken, "broken")
        return f"{len(counted)} of {len(self.checks)} promises {word}"

    @property
    def slow(self) -> list[GraphNode]:
        """What is worth a line in a picture: the critical path, and all that took a hundredth of the whole."""
        critical = {step.resource for step in self.critical_path}
        return [
            node for node in self.graph if node.resource in critical or node.end - node.start >= self.up_seconds / 100
        ]

    def write(self, directory: Path) -> None:
        """Write `report.json` and `report.html` into a directory, each of them whole or not at all.

        In `report.json` the attempts of a timeline are merged into `stretches`; the page's figures come from each one.
        """
        brief = self.model_copy(deep=True)
        for fault in brief.faults:
            for lane in fault.timeline:
                lane.attempts = stretches(lane.attempts)
        forms = {"report.json": brief.model_dump_json(indent=1) + "\n", "report.html": self.html()}
        directory.mkdir(parents=True, exist_ok=True)
        for name, text in forms.items():
            unfinished = directory / f"{name}.unfinished"
            unfinished.write_text(text, encoding="utf-8")
            unfinished.replace(directory / name)

    def html(self) -> str:
        """One page that needs nothing else: no script, no other file."""
        page = jinja2.Environment(
            loader=jinja2.FileSystemLoader(TEMPLATES),
            autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True,
        )  # fmt: skip
        page.filters |= {"duration": duration, "in_seconds": in_seconds, "stretches": stretches}
        return page.get_template("report.html.j2").render(report=self, Timeline=Timeline, pause=PAUSE)

    def print(self, console: Console) -> None:
        """Print the report in 80 columns; the verdict comes last, where a terminal's reader looks first."""
        for title, table in (
            (f"{self.stack}: up in {duration(self.up_seconds)}, critical path", self._path_table()),
            ("Faults" if self.faults else "No fault was made", self._fault_tables()),
            ("Promises", self._promise_table()),
        ):
            console.print(Text(f"\n{title}", style="bold"))
            console.print(Padding(table, (0, 0, 0, 2)))
        console.print(f"\nStood in for: {len(self.stand_ins)} types of resource, named in the report", style="dim")
        console.print(Text(self.verdict, style="bold green" if self.ok else "bold red"))
        for check in self.broken:
            console.print(Text(f"  broken: {check.name}: {check.measured}, not {check.limit}", style="red"))

    def _path_table(self) -> Table:
        table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
        table.add_column(ratio=2, no_wrap=True, overflow="ellipsis")
        table.add_column(justify="right", no_wrap=True)
        table.add_column(ratio=1)
        begun = 0.0
        for step in self.critical_path:
            bar = Bar(self.critical_path_seconds, begun, begun + step.seconds, color="blue")
            table.add_row(Text(step.resource), in_seconds(step.seconds), bar)
            begun += step.seconds
        return table

    def _fault_tables(self) -> Group:
        """Faults side by side, as many as 80 columns hold, and the others below."""
        rows = [self.faults[begin : begin + ABREAST] for begin in range(0, len(self.faults), ABREAST)]
        return Group(*(Padding(_fault_table(row), (1 if number else 0, 0, 0, 0)) for number, row in enumerate(rows)))

    def _promise_table(self) -> Table:
        table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
        for check in self.checks:
            sign = Text("held", style="green") if check.held else Text("BROKEN", style="bold red")
            table.add_row(sign, Text(check.name), Text(check.measured), Text(check.limit, style="dim"))
        return table


def _fault_table(faults: list[FaultResult]) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="")
    table.add_column(no_wrap=True, min_width=24)
    for fault in faults:
        table.add_column(Text(fault.name), justify="right", vertical="bottom", width=14)
    figures = [fault.figures for fault in faults]
    for name in dict.fromkeys(name for fault in figures for name in fault):
        table.add_row(Text(name), *(fault.get(name, "-") for fault in figures))
    return table


def in_seconds(seconds: float) -> str:
    """A measured time, to the tenth even when it is long: its bar may be near."""
    return f"{seconds:.1f} s"
