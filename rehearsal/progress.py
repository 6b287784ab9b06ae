"""What is being done right now, and for how long: `with progress.step("Building the engine"):`.

On a terminal the running steps stand at the bottom of the screen with their elapsed time, and a
finished one leaves a line above. Without a terminal a step is a line when it starts and one when it
ends. All of it goes to standard error: standard output is for results.
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
    """A running step."""

    def __init__(self, rows: Progress, row: TaskID) -> None:
        self._rows, self._row = rows, row

    def detail(self, text: str) -> None:
        """Say what the step is busy with, beside its title; only a terminal shows it."""
        self._rows.update(self._row, detail=text)

    def follow(
        self,
        *command: str | Path,
        cwd: Path | None = None,
        env: Mapping[str, str] | None = None,
        timeout: float,
    ) -> None:
        """Run a command that takes long, and show the line that it last wrote to standard error.

        It is killed when it takes longer than `timeout` seconds, and when this process dies. `env`:
        variables on top of ours. Raises `ToolError` with its last lines when it fails.
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

            def give_up() -> None:
                process.kill()
                output.append(f"no end after {timeout:g} s\n")

            limit = threading.Timer(timeout, give_up)
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
            raise ToolError(f"{command[0]}: exit status {process.returncode}, after\n{''.join(output)}")


class _Elapsed(TextColumn):
    def __init__(self) -> None:
        super().__init__("", justify="right")

    def render(self, task: Row) -> Text:
        return Text(duration(task.elapsed or 0), style="progress.elapsed")


class Steps:
    """The steps of one console. They may nest, follow one another, and run in several threads."""

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
        """Show that `title` is being done while the block runs, and then how long it took."""
        indent, shown = "  " * _depth.get(), escape(title)
        if not self.console.is_interactive:
            self._line(f"{indent}{shown} ...")
        row = self._begin(indent + shown)
        nested = _depth.set(_depth.get() + 1)
        started = time.monotonic()
        sign, outcome = "[green]✓[/]", ""
        try:
            yield Step(self._rows, row)
        except BaseException:
            sign, outcome = "[red]✗[/]", " failed after"
            raise
        finally:
            took = duration(time.monotonic() - started)
            _depth.reset(nested)
            self._end(row)
            if self.console.is_interactive:
                self._line(f"{sign} {indent}{shown}[dim]{outcome} {took}[/]")
            else:
                self._line(f"{indent}{shown}{outcome or ':'} {took}")

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
    """A time in seconds as people say it: `0.4 s`, `12 s`, `3 min 05 s`."""
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02} s" if minutes else f"{rest} s"


console = Console(stderr=True)
"""Where to print while steps run, so that their lines stay below."""

step = Steps(console).step
