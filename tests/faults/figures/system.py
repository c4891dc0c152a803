"""The systems that the faults are made for: how to run each, and how to ask its tables."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from tests.bench.environments import environment, version

_SCRIPTS = "tests.faults.figures.scripts"


@dataclass(frozen=True, slots=True)
class System:
    """One queue.

    running, left, done: Count jobs that are taken and have not ended, that have not ended, and whose
    success is recorded. attempts: The most attempts that a job has consumed, if that can be asked.
    block_for: Seconds that are longer than its lease with ``tight`` settings, which are the shortest that it
    takes, where the default is minutes. sync: Whether the setup that is measured runs sync handlers.
    """

    name: str
    script: Sequence[str]
    running: str
    left: str
    done: str
    worker: Sequence[str] = ()
    attempts: str | None = None
    block_for: float = 40.0
    tight: Mapping[str, str] = field(default_factory=dict)
    sync: bool = True

    def __str__(self) -> str:
        return self.name

    @property
    def is_ours(self) -> bool:
        """Tell whether it is soniq-sa."""
        return bool(self.worker)


OURS = System(
    "soniq-sa",
    (sys.executable, "-m", f"{_SCRIPTS}.ours"),
    running="SELECT count(*) FROM soniq_jobs WHERE state = 'processing'",
    left="SELECT count(*) FROM soniq_jobs WHERE state IN ('scheduled', 'queued', 'processing')",
    done="SELECT count(*) FROM soniq_jobs WHERE state = 'done'",
    worker=(
        *(sys.executable, "-m", "soniq_sa", "worker", "--app", f"{_SCRIPTS}.app:soniq"),
        *("--metrics-port", "0"),
    ),
    attempts="SELECT max(attempts) FROM soniq_jobs",
    block_for=25.0,
)


@dataclass(frozen=True, slots=True)
class _Rival:
    requirements: Sequence[str]
    running: str
    left: str
    done: str
    block_for: float
    tight: Mapping[str, str] = field(default_factory=dict)
    sync: bool = True


_RIVALS = {
    "pgqueuer": _Rival(
        ("pgqueuer==1.6.*", "asyncpg"),
        "SELECT count(*) FROM pgqueuer WHERE status = 'picked'",
        "SELECT count(*) FROM pgqueuer",
        "SELECT count(DISTINCT job_id) FROM pgqueuer_log WHERE status = 'successful'",
        60,
    ),
    "procrastinate": _Rival(
        ("procrastinate==3.10.*", "psycopg[binary,pool]"),
        "SELECT count(*) FROM procrastinate_jobs WHERE status = 'doing'",
        "SELECT count(*) FROM procrastinate_jobs WHERE status IN ('todo', 'doing')"
        " AND task_name <> 'retry_stalled_jobs'",
        "SELECT count(*) FROM procrastinate_jobs WHERE status = 'succeeded' AND args ? 'seconds'",
        120,
    ),
    "soniq": _Rival(
        ("soniq==0.1.*",),
        "SELECT count(*) FROM soniq_jobs WHERE status = 'processing'",
        "SELECT count(*) FROM soniq_jobs WHERE status IN ('queued', 'processing')",
        "SELECT count(*) FROM soniq_jobs WHERE status = 'done'",
        100,
        {"SONIQ_HEARTBEAT_TIMEOUT": "60", "SONIQ_CLEANUP_INTERVAL": "10"},
    ),
    "chancy": _Rival(
        ("chancy==0.26.*", "psycopg[binary,pool]"),
        "SELECT count(*) FROM chancy_jobs WHERE state = 'running'",
        "SELECT count(*) FROM chancy_jobs WHERE state IN ('pending', 'running', 'retrying')",
        "SELECT count(*) FROM chancy_jobs WHERE state = 'succeeded'",
        170,
        sync=False,
    ),
}
NAMES = ("ours", *_RIVALS)


def systems(names: Sequence[str]) -> Iterator[System]:
    """Yield the systems of these names that can be had here, rivals with their versions."""
    for name in names:
        if name == "ours":
            yield OURS
            continue
        rival = _RIVALS[name]
        python = environment(name, rival.requirements)
        if python is not None:
            yield System(
                f"{name} {version(python, name)}",
                (str(python), "-m", f"{_SCRIPTS}.{name}"),
                rival.running,
                rival.left,
                rival.done,
                block_for=rival.block_for,
                tight=rival.tight,
                sync=rival.sync,
            )
