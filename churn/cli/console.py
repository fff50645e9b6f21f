"""What people and machines see: a progress bar on a terminal, a log line elsewhere, tables, JSON."""

from __future__ import annotations

import json
import os
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

_FILE_WIDTH = 130  # of tables that go to a file or a pipe

out = Console(highlight=False, soft_wrap=True, emoji=False)
err = Console(stderr=True, highlight=False, soft_wrap=True, emoji=False)


class Steps:
    """Tells the steps of a long verb. Calling it ends the step before and names the next."""

    def __init__(self, verb: str, progress: Progress | None, steps: int) -> None:
        self._verb, self._progress = verb, progress
        self._task = progress.add_task(verb, total=steps) if progress else None

    def __call__(self, message: str) -> None:
        """Name the step that begins."""
        self._tell(message, advance=1)

    def within(self, message: str) -> None:
        """Say how far the step is; no other begins."""
        self._tell(message, advance=0)

    def _tell(self, message: str, *, advance: int) -> None:
        if self._progress is None or self._task is None:
            err.print(f"{self._verb}: {message}", markup=False)
        else:
            self._progress.update(self._task, advance=advance, description=message)

    def at(self, done: int, total: int) -> None:
        """Show how far a step of known length is (on a terminal only)."""
        if self._progress is not None and self._task is not None:
            self._progress.update(self._task, completed=done, total=total)


@contextmanager
def steps(verb: str, total: int) -> Generator[Steps]:
    """Show a progress bar on a terminal; one line a step on standard error elsewhere."""
    if not err.is_terminal:
        yield Steps(verb, None, total)
        return
    columns = (
        SpinnerColumn(),
        BarColumn(bar_width=24),
        TimeElapsedColumn(),
        TextColumn("{task.description}", markup=False),
    )
    with Progress(*columns, console=err, transient=True) as progress:
        yield Steps(verb, progress, total)


def print_json(values: Any) -> None:
    """Print one JSON document; JSON has no numbers that are not finite, so a result has to say null instead."""
    out.print(json.dumps(values, indent=1, default=str, allow_nan=False), markup=False)


def print_report(title: str, report: Mapping[str, Any]) -> None:
    """Print one thing's figures, a line each."""
    out.print(title, style="bold", markup=False)
    width = max(len(name) for name in report)
    for name, value in report.items():
        out.print(f"  {name:<{width}}  {_cell(value)}", markup=False)


def print_table(title: str, rows: Sequence[Mapping[str, Any]]) -> None:
    """Print rows as a table; the keys of the first are the columns."""
    out.print(title, style="bold", markup=False)
    table = Table(show_edge=False)
    for name in rows[0] if rows else ():
        table.add_column(name, overflow="fold")
    for row in rows:
        table.add_row(*(Text(_cell(value)) for value in row.values()))
    _wide().print(table, soft_wrap=False)


def _wide() -> Console:
    """Return where tables go; a file or a pipe, which does not say how wide it is, is taken to be wide."""
    if out.is_terminal or "COLUMNS" in os.environ:
        return out
    return Console(file=out.file, width=_FILE_WIDTH, highlight=False, emoji=False)


def _cell(value: Any) -> str:
    return "" if value is None else f"{value:.3f}" if isinstance(value, float) else str(value)
