"""What must hold after every step of every order, from what was committed and from the tables.

- A claim's number is given out once, to one worker, and only after the claim before it has ended.
- A claim ends once: by a finish, a release or a rescue. So a write with an old claim changes no row.
- A job that has ended stays as it is, but for the count of its replays, until it is deleted.
- The effects of committed runs with a session are the recorded successes.
- ``attempts`` and ``crashes`` are what was written; the history agrees.
- A worker whose lease runs loses nothing.
- A job that has not ended can still be found: it waits, or runs for the worker that was given it.
"""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

FINAL = {"done", "cancelled", "dead"}
_MAY_CHANGE = {"replays", "keep_until"}

Row = dict[str, Any]


class Violated(AssertionError):  # noqa: N818 - a finding, not an error of the program
    """Say which invariant does not hold."""


@dataclass(frozen=True)
class Granted:
    """A claim was given to a worker."""

    job: str
    claim: int
    worker: str


@dataclass(frozen=True)
class Ended:
    """A claim was ended by its worker; ``consumed`` attempts, ``effect`` if its session committed."""

    job: str
    claim: int
    consumed: int = 0
    effect: bool = False


@dataclass(frozen=True)
class Taken:
    """A rescue took a job from a worker that was dead, or was not there."""

    job: str


@dataclass(frozen=True)
class Gone:
    """A job was deleted by a statement that deletes."""

    job: str


@dataclass(frozen=True)
class Held:
    """A worker committed something under a claim that it still had."""

    job: str
    claim: int


Fact = Granted | Ended | Taken | Gone | Held

READ = """
SELECT (SELECT coalesce(json_agg(to_jsonb(j) - 'args'), '[]') FROM soniq_jobs j),
 (SELECT coalesce(json_agg(a), '[]') FROM soniq_attempts a),
 (SELECT coalesce(json_agg(json_build_object('id', w.id, 'live', w.expires_at > clock_timestamp())), '[]')
  FROM soniq_workers w),
 (SELECT coalesce(json_agg(e.job_id), '[]') FROM effects e)
"""


@dataclass
class Tables:
    """What the tables hold at one moment."""

    jobs: dict[str, Row]
    attempts: list[Row]
    live: dict[str, bool]
    effects: Counter[str]

    @classmethod
    def of(cls, record: Any) -> Tables:
        """Make it from the one row of `READ`."""
        jobs, attempts, workers, effects = (json.loads(one) for one in record)
        return cls(
            {job["id"]: job for job in jobs},
            attempts,
            {worker["id"]: worker["live"] for worker in workers},
            Counter(effects),
        )


@dataclass
class Ledger:
    """All that was committed in one order so far."""

    tables: Tables
    grants: dict[tuple[str, int], str] = field(default_factory=dict)
    ends: Counter[tuple[str, int]] = field(default_factory=Counter)
    gone: set[str] = field(default_factory=set)
    consumed: Counter[str] = field(default_factory=Counter)
    crashes: Counter[str] = field(default_factory=Counter)
    effects: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        for job in self.tables.jobs.values():
            for claim in range(1, job["claims"] + 1):
                self.grants[job["id"], claim] = job["worker_id"]
                if claim < job["claims"] or job["state"] != "processing":
                    self.ends[job["id"], claim] = 1
            self.consumed[job["id"]] = job["attempts"]
            self.crashes[job["id"]] = job["crashes"]

    def check(self, facts: list[Fact], tables: Tables) -> None:
        """Take over what a step has committed, and compare."""
        before, self.tables = self.tables, tables
        for fact in sorted(facts, key=lambda one: isinstance(one, Granted)):
            self._note(fact, before)
        for (job, claim), times in self.ends.items():
            must(times == 1, f"the claim {claim} of {job} ended {times} times")
        for job, row in before.jobs.items():
            if job in tables.jobs:
                self._compare(row, tables.jobs[job])
            else:
                must(job in self.gone, f"{job} is gone, and nobody deleted it")
        for row in tables.jobs.values():
            self._look_at(row)
        for kept in tables.attempts:
            fence = kept["job_id"], kept["claim"]
            must(self.ends[fence] == 1, f"the history has a claim that has not ended: {kept}")

    def check_end(self) -> None:
        """Compare when all is over, and what was left over has been rescued."""
        for row in self.tables.jobs.values():
            if row["state"] == "processing":
                must(row["worker_id"] in self.tables.live, f"{row} runs for nobody")

    def _note(self, fact: Fact, before: Tables) -> None:
        match fact:
            case Granted(job, claim, worker):
                must((job, claim) not in self.grants, f"{fact} was given to another as well")
                must(claim == 1 or self.ends[job, claim - 1] == 1, f"{fact}, before the last ended")
                self.grants[job, claim] = worker
            case Ended(job, claim, consumed, effect):
                self.ends[job, claim] += 1
                self.consumed[job] += consumed
                self.effects[job] += effect
            case Taken(job):
                row = before.jobs[job]
                worker = row["worker_id"]
                must(not before.live.get(worker), f"{job} was taken from {worker}, which lives")
                self.ends[job, row["claims"]] += 1
                self.crashes[job] += 1
            case Gone(job):
                claim = before.jobs[job]["claims"]
                must(not claim or self.ends[job, claim] == 1, f"{job} was deleted while it ran")
                self.gone.add(job)
            case Held(job, claim):
                must(self.ends[job, claim] == 0, f"{fact}, but that claim had ended")

    def _compare(self, before: Row, now: Row) -> None:
        must(before["claims"] <= now["claims"], f"claims went back: {before} {now}")
        must(before["attempts"] <= now["attempts"], f"attempts went back: {before} {now}")
        must(before["crashes"] <= now["crashes"], f"crashes went back: {before} {now}")
        if before["state"] in FINAL:
            changed = {name for name in now if now[name] != before[name]} - _MAY_CHANGE
            must(not changed, f"{changed} of an ended job changed: {before} {now}")

    def _look_at(self, row: Row) -> None:
        job, state, claim = row["id"], row["state"], row["claims"]
        must((state in FINAL) == (row["finished_at"] is not None), f"half ended: {row}")
        if state == "processing":
            must(self.grants.get((job, claim)) == row["worker_id"], f"runs unclaimed: {row}")
            must(self.ends[job, claim] == 0, f"runs under a claim that has ended: {row}")
        elif state not in FINAL:
            must(row["worker_id"] is None, f"waits, and belongs to a worker: {row}")
            must(claim == 0 or self.ends[job, claim] == 1, f"waits, and its claim runs: {row}")
        must(row["attempts"] == self.consumed[job], f"attempts are not what was written: {row}")
        must(row["crashes"] == self.crashes[job], f"crashes are not what was written: {row}")
        effects = self.tables.effects[job]
        must(effects == self.effects[job] <= 1, f"{effects} effects of {row}")
        must(not effects or state == "done", f"an effect of a job that is not done: {row}")


def must(holds: object, message: str) -> None:
    """Raise `Violated` unless it holds."""
    if not holds:
        raise Violated(message)
