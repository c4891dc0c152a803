"""The output is readable without a terminal, without colours, and on a narrow one."""

import io

from rich.console import Console

from soniq_sa.cli.demo.report import Report
from soniq_sa.cli.demo.screen import Screen

REPORT = Report(
    requests=600,
    rolled_back=120,
    savepoints_rolled_back=60,
    committed_orders=480,
    invoices=480,
    jobs=7_500,
    failed_once=48,
    phantom_jobs=0,
    lost_jobs=3,
    duplicated_invoices=0,
    pickup_from="commit",
    pickup_jobs=1_300,
    pickup_p50_ms=2.31,
    pickup_p99_ms=8.96,
    backlog_jobs=6_000,
    jobs_per_second=2_345.0,
    taken_over_jobs=4,
    takeover_first_seconds=1.21,
    takeover_seconds=1.48,
)


def shown(*, width: int = 100, terminal: bool = False) -> tuple[Screen, io.StringIO]:
    file = io.StringIO()
    console = Console(file=file, width=width, force_terminal=terminal, no_color=not terminal)
    return Screen(console), file


def test_the_table_has_every_figure() -> None:
    screen, file = shown()
    screen.table(REPORT)
    lines = [" ".join(line.split()) for line in file.getvalue().splitlines()]
    for start in (
        "requests 600 120 rolled back, 60 rolled back a savepoint",
        "committed orders 480",
        "phantom jobs 0",
        "lost jobs 3",
        "duplicated invoices 0",
        "pickup latency p50 2.3 ms",
        "pickup latency p99 9.0 ms",
        "jobs per second 2,345 draining a backlog of 6,000",
        "takeover 1.5 s from SIGKILL to the next claim, 4 jobs",
    ):
        assert any(line.startswith(start) for line in lines), start
    assert "\x1b" not in file.getvalue()


def test_the_table_fits_a_terminal_of_80_columns() -> None:
    rows = {}
    for width in (80, 200):
        screen, file = shown(width=width)
        screen.table(REPORT)
        rows[width] = len(file.getvalue().splitlines())
    assert rows[80] == rows[200]


def test_a_zero_is_green_and_anything_else_red() -> None:
    screen, file = shown(terminal=True)
    screen.table(REPORT)
    lines = file.getvalue().splitlines()
    assert "\x1b[1;31m" in next(line for line in lines if "lost jobs" in line)
    assert "\x1b[1;32m" in next(line for line in lines if "phantom jobs" in line)


def test_progress_without_a_terminal_is_a_few_lines() -> None:
    screen, file = shown()
    with screen.progress("Orders", 1_000) as show:
        for done in range(1_001):
            show(done)
    assert file.getvalue().splitlines() == [
        "Orders       250/1,000",
        "Orders       500/1,000",
        "Orders       750/1,000",
        "Orders       1,000/1,000",
    ]


def test_progress_on_a_terminal_is_a_bar() -> None:
    screen, file = shown(terminal=True)
    with screen.progress("Orders", 10) as show:
        show(10)
    assert "10/10" in file.getvalue()


def test_a_long_line_is_not_wrapped_and_not_taken_for_markup() -> None:
    screen, file = shown(width=20)
    path = "/somewhere/[bold]/" + "x" * 100
    screen.say("Logs", path)
    screen.fail(path)
    assert file.getvalue().splitlines() == [f"Logs         {path}", f"Failed: {path}"]
