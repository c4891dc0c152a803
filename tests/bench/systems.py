"""Everything that is measured: how to start it, and how to see that it is through."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from tests.bench.environments import environment, version
from tests.bench.plan import progress

WORKER = (
    *(sys.executable, "-m", "soniq_sa", "worker"),
    *("--app", "tests.bench.app:soniq", "--log-level", "warning", "--loop", "asyncio"),
)


@dataclass(frozen=True, slots=True)
class System:
    """A queue, or what does the same work without one.

    script: A command with the subcommands of `tests.bench.script`. table: The one that holds the jobs;
    a lock on it holds every worker up. unfinished: Tells whether jobs are left. most_jobs: It is too
    slow to drain more in a run. worker: Its worker, where that is not a subcommand. bursts: Whether it
    can take 7,000 jobs a second. counts: Whether its handlers count that they ran.
    """

    name: str
    script: Sequence[str]
    table: str
    unfinished: str
    most_jobs: int = 1_000_000
    worker: Sequence[str] | None = None
    bursts: bool = False
    counts: bool = True

    def __str__(self) -> str:
        return self.name

    def command(self, name: str, *arguments: object) -> list[str]:
        """Return the command line of a subcommand."""
        return [*self.script, name, *map(str, arguments)]

    def work(self, *, busy: bool) -> list[str]:
        """Return the command line of a worker."""
        return (
            list(self.worker) if self.worker else self.command("work", "busy" if busy else "idle")
        )


def _own(module: str) -> tuple[str, ...]:
    return (sys.executable, "-m", f"tests.bench.processes.{module}")


_UNFINISHED = (
    "SELECT EXISTS (SELECT FROM soniq_jobs WHERE state = 'queued' AND queue = 'default')"
    " OR EXISTS (SELECT FROM soniq_jobs WHERE state = 'processing' AND worker_id IS NOT NULL)"
)

OURS = System("soniq-sa", _own("ours"), "soniq_jobs", _UNFINISHED, worker=WORKER, bursts=True)
SYNC = System("soniq-sa, sync handlers", _own("our_sync"), "soniq_jobs", _UNFINISHED, worker=WORKER)
SESSION = System(
    "soniq-sa, session handlers", _own("our_session"), "soniq_jobs", _UNFINISHED, worker=WORKER
)
BY_HAND = System(
    "the same by hand",
    _own("by_hand"),
    "orders",
    "SELECT EXISTS (SELECT FROM orders WHERE total = 10)",
)
BARE = System(
    "bare asyncpg",
    _own("bare"),
    "bare_jobs",
    "SELECT EXISTS (SELECT FROM bare_jobs WHERE state <> 'done')",
    bursts=True,
)
LEAN_ON_OURS = System("bare asyncpg, our table", _own("lean_on_ours"), "soniq_jobs", _UNFINISHED)
OUR_STATEMENTS = System(
    "bare asyncpg, our table and statements", _own("our_statements"), "soniq_jobs", _UNFINISHED
)


@dataclass(frozen=True, slots=True)
class Rival:
    """What to install for a rival, and how to drive it."""

    package: str
    requirements: Sequence[str]
    table: str
    unfinished: str
    most_jobs: int = 1_000_000
    bursts: bool = False


_RIVALS = (
    Rival(
        "pgqueuer",
        ("pgqueuer==1.6.*", "asyncpg"),
        "pgqueuer",
        "SELECT EXISTS (SELECT FROM pgqueuer)",
        bursts=True,
    ),
    Rival(
        "chancy",
        ("chancy==0.26.*", "psycopg[binary,pool]"),
        "chancy_jobs",
        "SELECT EXISTS (SELECT FROM chancy_jobs WHERE state <> 'succeeded')",
        most_jobs=10_000,
    ),
    Rival(
        "procrastinate",
        ("procrastinate==3.10.*", "psycopg[binary,pool]"),
        "procrastinate_jobs",
        "SELECT EXISTS (SELECT FROM procrastinate_jobs WHERE status <> 'succeeded')",
        most_jobs=2_000,
    ),
    Rival(
        "soniq",
        ("soniq==0.1.*",),
        "soniq_jobs",
        "SELECT EXISTS (SELECT FROM soniq_jobs WHERE status <> 'done')",
        most_jobs=1_000,
    ),
)
RIVAL_NAMES = tuple(rival.package for rival in _RIVALS)
BEST_RIVAL = "pgqueuer"
"""At draining, of all that were ever measured."""


def rivals(names: Sequence[str]) -> Iterator[System]:
    """Yield the rivals that can be had here, with their versions in their names."""
    for rival in _RIVALS:
        if rival.package not in names:
            continue
        python = environment(rival.package, rival.requirements)
        if python is None:
            continue
        yield System(
            f"{rival.package} {version(python, rival.package)}",
            (str(python), "-m", f"tests.bench.rivals.{rival.package}"),
            rival.table,
            rival.unfinished,
            rival.most_jobs,
            bursts=rival.bursts,
        )


def find_rival(systems: Sequence[System], package: str) -> System | None:
    """Return the rival of that package, if it is here."""
    return next((one for one in systems if one.name.startswith(f"{package} ")), None)


def pgbench_systems() -> Iterator[System]:
    """Yield the statements without Python, where PostgreSQL's pgbench is."""
    program = find_pgbench()
    if program is None:
        progress("no pgbench in the PATH or beside PostgreSQL: left out", stays=True)
        return
    for base, kind in ((BARE, "bare"), (OURS, "ours")):
        worker = (sys.executable, "-m", "tests.bench.processes.pgbench", program, kind, "1")
        statements = "bare statements" if kind == "bare" else "our statements"
        yield replace(base, name=f"pgbench, {statements}", worker=worker, counts=False)


def find_pgbench() -> str | None:
    """Return the path of pgbench; Debian does not put it into the PATH."""
    beside = sorted(Path("/usr/lib/postgresql").glob("*/bin/pgbench"))
    return shutil.which("pgbench") or (str(beside[-1]) if beside else None)
