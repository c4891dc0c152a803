"""What the demo shows: moving bars on a terminal, plain lines elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich import box
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from soniq_sa.cli.demo.report import Report

LABEL_WIDTH = 12
# Where there is no terminal, a line is written at each of these parts of the work.
PLAIN_STEPS = 4


class Screen:
    """The demo's output: lines with a label, bars, and the table at the end."""

    def __init__(self, console: Console) -> None:
        self._console = console

    def say(self, label: str, text: str) -> None:
        """Write one line."""
        line = f"[bold]{label:<{LABEL_WIDTH}}[/bold] "
        self._console.print(line, end="", highlight=False)
        self._console.print(text, markup=False, highlight=False, soft_wrap=True)

    def fail(self, text: str) -> None:
        """Write why the demo ended early."""
        self._console.print("Failed: ", style="bold red", end="")
        self._console.print(text, markup=False, highlight=False, soft_wrap=True)

    @contextmanager
    def progress(self, label: str, total: int) -> Iterator[Callable[[int], None]]:
        """Show how far something is; the body calls what it is given with the number done."""
        if self._console.is_terminal:
            with self._bars() as bars:
                task = bars.add_task(f"{label:<{LABEL_WIDTH}}", total=total)
                yield lambda done: bars.update(task, completed=done)
        else:
            yield _PlainProgress(self, label, total).show

    def _bars(self) -> Progress:
        return Progress(
            TextColumn("[bold]{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            console=self._console,
        )

    def table(self, report: Report) -> None:
        """Show the report."""
        table = Table(box=box.SIMPLE_HEAD, title="From the database", title_justify="left")
        table.add_column("what")
        table.add_column("figure", justify="right")
        table.add_column("remark")
        for what, figure, remark in _rows(report):
            table.add_row(what, figure, remark)
        for what, count, remark in _promises(report):
            style = "bold red" if count else "bold green"
            table.add_row(f"[{style}]{what}[/]", f"[{style}]{count}[/]", remark)
        for what, shown, remark in _speeds(report):
            table.add_row(what, shown, remark)
        self._console.print(table)


class _PlainProgress:
    """A line now and then."""

    def __init__(self, screen: Screen, label: str, total: int) -> None:
        self._screen, self._label, self._total = screen, label, total
        self._shown = 0

    def show(self, done: int) -> None:
        step = done * PLAIN_STEPS // self._total if self._total else PLAIN_STEPS
        if step > self._shown:
            self._shown = step
            self._screen.say(self._label, f"{done:,}/{self._total:,}")


def _rows(report: Report) -> Iterator[tuple[str, str, str]]:
    rolled_back = f"{report.rolled_back:,} rolled back"
    savepoints = f"{report.savepoints_rolled_back:,} rolled back a savepoint"
    yield "requests", f"{report.requests:,}", f"{rolled_back}, {savepoints}"
    yield "committed orders", f"{report.committed_orders:,}", ""
    yield "invoices", f"{report.invoices:,}", "written by jobs"
    yield "jobs", f"{report.jobs:,}", f"{report.failed_once:,} failed once and were tried again"


def _promises(report: Report) -> Iterator[tuple[str, int, str]]:
    yield "phantom jobs", report.phantom_jobs, "jobs of what was rolled back"
    yield "lost jobs", report.lost_jobs, "jobs or invoices that an order lacks"
    yield "duplicated invoices", report.duplicated_invoices, "more than one for an order"


def _speeds(report: Report) -> Iterator[tuple[str, str, str]]:
    origin = f"from {report.pickup_from} to claim, {report.pickup_jobs:,} jobs"
    yield "pickup latency p50", f"{report.pickup_p50_ms:.1f} ms", origin
    yield "pickup latency p99", f"{report.pickup_p99_ms:.1f} ms", ""
    backlog = f"draining a backlog of {report.backlog_jobs:,}"
    yield "jobs per second", f"{report.jobs_per_second:,.0f}", backlog
    takeover = f"from SIGKILL to the next claim, {report.taken_over_jobs:,} jobs"
    yield "takeover", f"{report.takeover_seconds:.1f} s", takeover
