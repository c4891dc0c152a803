"""Whether what else lies in the table slows a drain down: finished, future and other queues' jobs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager

import psycopg

from tests.bench.benchmarks.drain import MEASURES
from tests.bench.child import finished
from tests.bench.draining import drain
from tests.bench.plan import Plan, attempt, progress
from tests.bench.results import Figures, Results, Target
from tests.bench.server import analyze
from tests.bench.svg import Bars
from tests.bench.systems import OURS, WORKER

NAME = "crowded"

_EMPTY = "nothing else"
_COLUMNS = (
    "id, task, args, queue, state, run_at, claims, attempts, worker_id, claimed_at, finished_at"
)
_KINDS = {
    "finished": (
        "'default', 'done', now() - interval '1 hour', 1, 1, gen_random_uuid(), now(), now()"
    ),
    "future": "'default', 'scheduled', now() + interval '1 day', 0, 0, NULL, NULL, NULL",
    "in other queues": (
        "'other-' || number % 10, 'queued', now() - interval '1 hour', 0, 0, NULL, NULL, NULL"
    ),
}
_NOTES = (
    (
        "The worker serves the queue `default`. Each run works on a fresh copy of a database that was vacuumed "
        "and analyzed."
    ),
)


def measure(plan: Plan) -> Results:
    """Drain beside each kind of row in turn."""
    cases = {_EMPTY: None, **{f"{plan.rows:,} {kind}": kind for kind in _KINDS}}
    title = f"{plan.jobs:,} waiting async jobs in a table with other rows, one worker process"
    results = Results(NAME, title, MEASURES, _targets(cases), _NOTES)
    with ExitStack() as stack:
        templates = {
            case: stack.enter_context(_template(plan, case, kind)) for case, kind in cases.items()
        }
        for case in plan.interleave(NAME, list(cases)):
            attempt(results, case, lambda c=case: _drain_copy(plan, templates[c]))  # type: ignore[misc]
    rows = {case: {"rate": results.value(case, "rate")} for case in cases}
    results.plots.append(Bars("crowded", "Rate of draining beside other rows", "jobs/s", rows))
    return results


@contextmanager
def _template(plan: Plan, case: str, kind: str | None) -> Iterator[str]:
    """Yield the name of a database with the jobs to drain, and the rows beside them."""
    progress(f"{NAME}: making a table with {case}")
    with plan.server.database() as url:
        if kind is not None:
            finished(OURS.command("prepare", 0), url)
            _fill(url, kind, plan.rows)
        finished(OURS.command("prepare", plan.jobs), url)
        analyze(url)
        with psycopg.connect(url) as connection:
            name = connection.info.dbname
        yield name


def _fill(url: str, kind: str, rows: int) -> None:
    payload = '{"i": 1, "s": "hello-world"}'
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(
            f"INSERT INTO soniq_jobs ({_COLUMNS})"  # noqa: S608 - our own
            f" SELECT gen_random_uuid(), 'noop', '{payload}', {_KINDS[kind]}"
            f" FROM generate_series(1, {rows}) AS number".encode()
        )


def _drain_copy(plan: Plan, template: str) -> Figures:
    worker = [*WORKER, "--queues", "default"]
    with plan.server.database(template) as url:
        return drain(plan.server, OURS, url, plan.jobs, [worker])


def _targets(cases: Mapping[str, str | None]) -> list[Target]:
    found = []
    for case, kind in cases.items():
        if kind is not None:
            found.append(
                Target(f"drain beside {case}: rate of empty", "rate", case, _EMPTY, least=0.9)
            )
            found.append(Target(f"drain beside {case}: CPU per job of empty", "cpu", case, _EMPTY))
    return found
