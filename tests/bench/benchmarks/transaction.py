"""What one job adds to an ORM transaction that writes an order, beside one more ORM row."""

from __future__ import annotations

import json
from statistics import median

from tests.bench.child import finished
from tests.bench.plan import Plan, attempt
from tests.bench.results import Figures, Measure, Results, Target
from tests.bench.server import analyze
from tests.bench.svg import Bars
from tests.bench.systems import BARE, OURS, System

NAME = "transaction"

_MEASURES = (
    Measure("order", "us"),
    Measure("with job", "us"),
    Measure("with row", "us"),
    Measure("added", "us"),
    Measure("added by row", "us"),
    Measure("over row", "", 2),
    Measure("CPU", "us"),
    Measure("added CPU", "us"),
    Measure("CPU by row", "us"),
    Measure("CPU over row", "", 2),
)
_NOTES = (
    (
        "One AsyncSession transaction: an order alone, an order and a job, an order and a plain mapped row "
        "as wide as a job, in turn; medians of each process."
    ),
    "CPU: of the client's process and of the session's backend.",
    "over row: the time with a job over the time with a row, of neighbours.",
    (
        "soniq-sa, pgqueuer and soniq on asyncpg, chancy and procrastinate on psycopg: their own drivers. All "
        "but soniq-sa need the session flushed, and get its driver connection."
    ),
    f"{BARE}: one INSERT on the session's driver connection, with a word to nobody.",
)


def measure(plan: Plan) -> Results:
    """Time transactions with each system in turn."""
    transactions = 100 if plan.quick else 300
    title = f"one order and one job in an ORM transaction, {transactions} of each kind a run"
    results = Results(NAME, title, _MEASURES, _targets(plan), _NOTES)
    systems = [OURS, *plan.rivals, BARE]
    for system in plan.interleave(NAME, systems):
        attempt(results, system.name, lambda s=system: _time(plan, s, transactions))  # type: ignore[misc]
    rows = {one.name: {"added": results.value(one.name, "added")} for one in systems}
    rows["one more ORM row"] = {"added": results.value(OURS.name, "added by row")}
    title = "What one job adds to an ORM transaction"
    results.plots.append(Bars("transaction-added", title, "us", rows))
    return results


def _time(plan: Plan, system: System, transactions: int) -> Figures:
    with plan.server.database() as url:
        finished(system.command("prepare", 0), url)
        finished(system.command("tables"), url)
        analyze(url)
        times = json.loads(finished(system.command("added", transactions), url).splitlines()[-1])
    wall = {kind: [one[0] for one in values] for kind, values in times.items()}
    cpu = {kind: [one[1] + one[2] for one in values] for kind, values in times.items()}
    order, job, row = (median(wall[kind]) for kind in ("order", "job", "row"))
    return {
        "order": order,
        "with job": job,
        "with row": row,
        "added": job - order,
        "added by row": row - order,
        "over row": _over(wall),
        "CPU": median(cpu["order"]),
        "added CPU": median(cpu["job"]) - median(cpu["order"]),
        "CPU by row": median(cpu["row"]) - median(cpu["order"]),
        "CPU over row": _over(cpu),
    }


def _over(times: dict[str, list[float]]) -> float:
    """Return how much longer a transaction with a job takes than its neighbour with a row."""
    return median(job / row for job, row in zip(times["job"], times["row"], strict=True))


def _targets(plan: Plan) -> list[Target]:
    ours = OURS.name
    work = "order + job: the time of order + plain row"
    return [
        Target(work, "over row", ours, most=1.15),
        Target("order + job: the CPU of order + plain row", "CPU over row", ours),
        *(
            Target(f"order + job: added time of {rival}", "added", ours, rival.name, most=1)
            for rival in plan.rivals
        ),
        *(
            Target(f"order + job: added CPU of {rival}", "added CPU", ours, rival.name)
            for rival in plan.rivals
        ),
        Target(f"order + job: added time of {BARE}", "added", ours, BARE.name),
    ]
