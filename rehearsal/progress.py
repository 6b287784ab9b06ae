"""Progress of long steps on standard error: `with progress.step("Building the engine"):`.

A terminal shows the running steps at the bottom of the screen with their elapsed time, and a finished step as a line
above them. Without a terminal, a step prints one line when it starts and one when it ends. Standard output is left to
the results.
"""

from __future__ import annotations

import os
import threading
import time
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from subprocess import DEVNULL, PIPE, Popen

from rich.console import Console
from rich.markup import escape
from rich.progress import Progress, SpinnerColumn, TaskID, TextColumn
from rich.progress import Task as Row
from rich.table import Column
from rich.text import Text

from rehearsal.system.shell import ToolError

_depth: ContextVar[int] = ContextVar("depth", default=0)


class Step:
    """A running step, which `Steps.step` makes."""

    def __init__(self, rows: Progress, row: TaskID) -> None:
        self._rows, self._row = rows, row

    def detail(self, text: str) -> None:
        """Show the current action of the step beside its title; only a terminal shows it."""
        self._rows.update(self._row, detail=text)

    def follow(
        self,
        *command: str | Path,
        cwd: Path | None = None,
        env: Mapping[str, str] | None = None,
        timeout: float,
    ) -> None:
        """Run a long command, and show the last line of its standard error as the step's detail.

        The kernel kills the command when this process dies (prctl(2), PR_SET_PDEATHSIG). `cwd`: working directory;
        `env`: variables in addition to this process's; `timeout`: seconds until the command is killed.

        Raises `ToolError` with the command's last lines when it fails or is killed.
        """
        output: deque[str] = deque(maxlen=20)
        with Popen(
            ["setpriv", "--pdeathsig", "KILL", *command],
            cwd=cwd,
            env=os.environ | (env or {}),
            stdin=DEVNULL,
            stdout=DEVNULL,
            stderr=PIPE,
            text=True,
            errors="replace",
        ) as process:
            assert process.stderr is not None

            def time_out() -> None:
                process.kill()
                output.append(f"killed after {timeout:g} s\n")

            limit = threading.Timer(timeout, time_out)
            limit.start()
            try:
                for line in process.stderr:
                    output.append(line)
                    self.detail(line.strip())
            except BaseException:
                process.kill()
                raise
            finally:
                limit.cancel()
        if process.returncode:
            raise ToolError(f"{command[0]}: exit status {process.returncode}; its last lines:\n{''.join(output)}")


class _Elapsed(TextColumn):
    """A column with the elapsed time of a step."""

    def __init__(self) -> None:
        super().__init__("", justify="right")

    def render(self, task: Row) -> Text:
        return Text(duration(task.elapsed or 0), style="progress.elapsed")


class Steps:
    """The steps of one console. Steps may nest, and several threads may run steps at once."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self._rows = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            TextColumn(
                "{task.fields[detail]}",
                style="dim",
                markup=False,
                table_column=Column(ratio=1, no_wrap=True, overflow="ellipsis"),
            ),
            _Elapsed(),
            console=console,
            transient=True,
            expand=True,
            disable=not console.is_interactive,
        )
        self._lock = threading.Lock()
        self._running = 0

    @contextmanager
    def step(self, title: str) -> Iterator[Step]:
        """Show `title` while the block runs, and then the time that it took; re-raises what the block raises."""
        label = "  " * _depth.get() + escape(title)
        if not self.console.is_interactive:
            self._line(f"{label} ...")
        row = self._begin(label)
        token = _depth.set(_depth.get() + 1)
        started = time.monotonic()
        mark, outcome = "[green]✓[/]", ""
        try:
            yield Step(self._rows, row)
        except BaseException:
            mark, outcome = "[red]✗[/]", " failed after"
            raise
        finally:
            took = duration(time.monotonic() - started)
            _depth.reset(token)
            self._end(row)
            if self.console.is_interactive:
                self._line(f"{mark} {label}[dim]{outcome} {took}[/]")
            else:
                self._line(f"{label}{outcome or ':'} {took}")

    def _line(self, text: str) -> None:
        self.console.print(text, highlight=False, soft_wrap=True)

    def _begin(self, description: str) -> TaskID:
        with self._lock:
            if self._running == 0:
                self._rows.start()
            self._running += 1
            return self._rows.add_task(description, total=None, detail="")

    def _end(self, row: TaskID) -> None:
        with self._lock:
            self._rows.remove_task(row)
            self._running -= 1
            if self._running == 0:
                self._rows.stop()


def duration(seconds: float) -> str:
    """Format a time in seconds: `0.4 s`, `12 s`, `3 min 05 s`."""
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02} s" if minutes else f"{rest} s"


console = Console(stderr=True)
"""Print here while steps run: the lines then appear above the running steps."""

step = Steps(console).step
