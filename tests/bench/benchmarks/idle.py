"""What a worker costs that has nothing to do; all systems idle at the same time, each in its database."""

from __future__ import annotations

import time
from contextlib import ExitStack
from dataclasses import dataclass

from tests.bench.cells import new_cells
from tests.bench.child import Child, finished, running
from tests.bench.cpu import cpu_of
from tests.bench.meter import Meter
from tests.bench.plan import Plan, progress
from tests.bench.results import Measure, Results, Target
from tests.bench.server import analyze
from tests.bench.systems import OURS, System

NAME = "idle"
SETTLE = 5.0
"""Seconds after which what a worker does at its start is over."""

_MEASURES = (
    Measure("statements", "a minute", 1),
    Measure("worker", "s CPU a minute", 3),
    Measure("server", "s CPU a minute", 3),
    Measure("cpu", "s CPU a minute", 3),
    Measure("memory", "MB", 1),
    Measure("connections", ""),
)
_NOTES = (
    "server: the backends that were connected all the time; not the work behind NOTIFY and statistics.",
)


@dataclass(slots=True)
class _Idler:
    """A worker that idles, and where its counters stood."""

    system: System
    worker: Child
    database: str
    meter: Meter
    backends: list[int]
    before: tuple[float, float, float] = (0, 0, 0)

    def read(self) -> tuple[float, float, float]:
        """Return statements, CPU of the worker and CPU of its backends."""
        server = sum(cpu_of(pid) or 0.0 for pid in self.backends)
        return self.meter.statements(), self.meter.worker_cpu(), server


def measure(plan: Plan) -> Results:
    """Let all workers idle side by side."""
    title = f"an idle worker with default settings, {plan.minutes:g} minutes"
    results = Results(NAME, title, _MEASURES, _targets(plan), _NOTES)
    systems = [OURS, *plan.rivals]
    progress(f"{NAME}: {', '.join(map(str, systems))} at the same time")
    with ExitStack() as stack:
        idlers = [_start(stack, plan, system) for system in systems]
        time.sleep(SETTLE)
        for idler in idlers:
            idler.backends = _backends(plan, idler.database)
            idler.before = idler.read()
        time.sleep(plan.minutes * 60)
        for idler in idlers:
            _add(results, idler, plan.minutes)
    return results


def _start(stack: ExitStack, plan: Plan, system: System) -> _Idler:
    url = stack.enter_context(plan.server.database())
    cells = stack.enter_context(new_cells(1))
    finished(system.command("prepare", 0), url)
    analyze(url)
    worker = stack.enter_context(running(system.work(busy=False), url, cells))
    database = url.rpartition("/")[2].partition("?")[0]
    meter = Meter(plan.server, database, [worker.pid])
    worker.wait_for(lambda: bool(_backends(plan, database)), f"a connection of {system}")
    return _Idler(system, worker, database, meter, [])


def _backends(plan: Plan, database: str) -> list[int]:
    (pids,) = plan.server.ask(
        "SELECT coalesce(array_agg(pid), '{}') FROM pg_stat_activity WHERE datname = %s", database
    )
    return list(pids) if isinstance(pids, list) else []


def _add(results: Results, idler: _Idler, minutes: float) -> None:
    if idler.worker.process.poll() is not None:
        results.failures.append(str(idler.worker.failure("ended while it idled")))
        return
    statements, worker, server = (
        (now - then) / minutes for now, then in zip(idler.read(), idler.before, strict=True)
    )
    results.add(
        idler.system.name,
        {
            "statements": statements,
            "worker": worker,
            "server": server,
            "cpu": worker + server,
            "memory": idler.meter.memory(),
            "connections": len(idler.backends),
        },
    )


def _targets(plan: Plan) -> list[Target]:
    ours = OURS.name
    return [
        Target("idle worker: statements a minute", "statements", ours, most=12),
        Target("idle worker: seconds of CPU a minute", "cpu", ours, most=0.1),
        *(
            Target(f"idle worker: statements of {rival}", "statements", ours, rival.name)
            for rival in plan.rivals
        ),
    ]
