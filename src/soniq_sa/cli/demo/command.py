"""The command `soniq-sa demo`: its options, its exit status, and what it leaves behind."""

from __future__ import annotations

import json
import signal
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from soniq_sa.cli.demo.example import missing_packages
from soniq_sa.cli.demo.failure import DemoFailedError
from soniq_sa.cli.demo.report import Report
from soniq_sa.cli.demo.run import Options, run_demo
from soniq_sa.cli.demo.screen import Screen
from soniq_sa.cli.options import new_commands
from soniq_sa.localserver import (
    Keeper,
    LocalServer,
    NoServerError,
    ctrl_c_waits,
    local_server,
)

FAILED, USAGE, NO_DATABASE, INTERRUPTED = 1, 2, 5, 130
# The report's pickup latency starts at the commit, and PostgreSQL records that only when told to.
SETTINGS = {"track_commit_timestamp": "on"}


def demo(
    *,
    orders: Annotated[int, typer.Option(min=4, help="How many orders to place.")] = 600,
    workers: Annotated[int, typer.Option(min=1, help="How many worker processes to run.")] = 2,
    seed: Annotated[int, typer.Option(help="Which orders: the same seed, the same orders.")] = 1,
    keep: Annotated[bool, typer.Option("--keep", help="Leave server, data and logs.")] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Write one JSON document; progress goes to stderr.")
    ] = False,
    database_url: Annotated[
        str | None,
        typer.Option(
            envvar="SONIQ_SA_DATABASE_URL",
            help="Create a database on this server. Default: start a server.",
        ),
    ] = None,
) -> None:
    """Run a shop under real traffic, kill a worker, and count what was lost: nothing.

    Exit status: 0 nothing was lost, invented or done twice; 1 something was, or the demo failed;
    2 a package is missing; 5 no database; 130 after Ctrl-C, which leaves nothing behind.
    """
    _require_packages()
    console = Console(stderr=as_json)
    screen = Screen(console)
    try:
        report = _run(database_url, Options(orders, workers, seed), screen, keep=keep)
    except KeyboardInterrupt:
        screen.say("Stopped", "nothing is left behind")
        raise typer.Exit(INTERRUPTED) from None
    except NoServerError as error:
        screen.fail(str(error))
        raise typer.Exit(NO_DATABASE) from None
    except DemoFailedError as error:
        screen.fail(str(error))
        raise typer.Exit(FAILED) from None
    if as_json:
        document = {**report.document(), "seed": seed, "workers": workers}
        sys.stdout.write(json.dumps(document, indent=2) + "\n")
    else:
        screen.table(report)
    raise typer.Exit(0 if report.passed else FAILED)


def _require_packages() -> None:
    if missing := missing_packages():
        typer.echo(
            f"soniq-sa demo needs {', '.join(missing)}: pip install 'soniq-sa[demo]'", err=True
        )
        raise typer.Exit(USAGE)


def _run(database_url: str | None, options: Options, screen: Screen, *, keep: bool) -> Report:
    with (
        _sigterm_like_ctrl_c(),
        _log_folder(keep=keep) as folder,
        local_server(database_url, keep=keep, durable=True, settings=SETTINGS) as server,
    ):
        screen.say("Database", server.origin)
        report = run_demo(server, folder, options, screen)
        if keep:
            _say_what_is_kept(server, folder, screen)
        return report


@contextmanager
def _sigterm_like_ctrl_c() -> Iterator[None]:
    """Turn SIGTERM into SIGINT, so that it ends the demo in the same orderly way."""
    before = signal.signal(signal.SIGTERM, lambda *_: signal.raise_signal(signal.SIGINT))
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


@contextmanager
def _log_folder(*, keep: bool) -> Iterator[Path]:
    """Make a folder for logs that is removed at the end, even if this process is killed."""
    keeper = Keeper()
    kept = False
    try:
        with ctrl_c_waits():
            folder = Path(tempfile.mkdtemp(prefix="soniq-sa-demo-"))
            keeper.remove(folder)
        yield folder
        kept = keep
    finally:
        if kept:
            keeper.dismiss()
        else:
            keeper.finish()


def _say_what_is_kept(server: LocalServer, folder: Path, screen: Screen) -> None:
    screen.say("Kept", f"psql '{server.libpq_url}'")
    screen.say("Logs", str(folder))
    screen.say("Clean up", f"{server.cleanup}; rm -rf {folder}")


commands = new_commands(demo)
