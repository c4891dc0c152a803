"""The checker itself, on histories made by hand: a clean one, and one with each thing that may be wrong."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from tests.faults.schedules.checker import VERDICTS, check
from tests.faults.schedules.history import Asked, Enqueued, History, Row, Run, operations

CLEAN = History(
    enqueued=[
        Enqueued("a", "charge", 1.0),
        Enqueued("b", "send", 1.0),
        Enqueued("c", "charge", 1.0, fate="rolled back"),
        Enqueued("d", "charge", 1.0, fate="unknown"),
        Enqueued("e", "charge", 1.0, fate="unknown"),
        Enqueued("f", "doomed", 1.0),
        Enqueued("g", "poison", 1.0),
        Enqueued("h", "parent", 1.0),
        Enqueued("i", "pay", 1.0),
        Enqueued("j", "charge", 1.0, delay=2.0),
        Enqueued("k", "charge", 1.0),
        Enqueued("l", "charge", 1.0),
    ],
    runs=[
        Run("a", 7, 2.0, 2.1, "end"),
        Run("b", 7, 2.0),
        Run("b", 8, 3.0, 3.1, "end"),
        Run("e", 8, 3.0, 3.1, "end"),
        Run("f", 8, 3.0, 3.1, "left"),
        Run("f", 8, 4.0, 4.1, "left"),
        *(Run("g", number, 3.0) for number in (1, 2, 3)),
        Run("h", 7, 2.0, 2.1, "end"),
        Run("h2", 7, 3.0, 3.1, "end"),
        Run("i", 7, 2.0, 2.1, "end"),
        Run("j", 7, 3.0, 3.1, "end"),
        *(Run("l", number, 3.0) for number in (1, 2, 3)),
    ],
    asked=[Asked("cancel", "k", 1.5, answer="cancelled")],
    rows={
        row.id: row
        for row in [
            Row("a", "charge", "done"),
            Row("b", "send", "done", claims=2, crashes=1),
            Row("e", "charge", "done"),
            Row("f", "doomed", "dead", "retries exhausted", attempts=2, max_attempts=2, claims=2),
            Row("g", "poison", "dead", "crashed worker", attempts=0, claims=3, crashes=3),
            Row("h", "parent", "done"),
            Row("h2", "charge", "done", parent="h"),
            Row("i", "pay", "done", order=1),
            Row("j", "charge", "done"),
            Row("k", "charge", "cancelled", attempts=0, claims=0),
            Row("l", "charge", "dead", "crashed worker", attempts=0, claims=3, crashes=3),
        ]
    },
    effects=dict.fromkeys(("a", "e", "h", "h2", "i", "j"), 1),
    paid={1: 1},
    killed=[(7, 2.5)],
)


def test_a_clean_history_has_no_findings() -> None:
    assert check(CLEAN) == []


def with_row(job: str, **changes: Any) -> Callable[[History], History]:
    """Return what changes a row of a history."""
    return lambda history: replace(
        history, rows={**history.rows, job: replace(history.rows[job], **changes)}
    )


def without_row(job: str) -> Callable[[History], History]:
    """Return what takes a row out of a history."""
    return lambda history: replace(
        history, rows={name: row for name, row in history.rows.items() if name != job}
    )


def with_effects(**counts: int) -> Callable[[History], History]:
    """Return what changes the effects of a history."""
    return lambda history: replace(history, effects={**history.effects, **counts})


def with_more(**added: list[Any]) -> Callable[[History], History]:
    """Return what adds to the lists of a history."""
    return lambda history: replace(
        history, **{name: [*getattr(history, name), *more] for name, more in added.items()}
    )


def without_runs(job: str) -> Callable[[History], History]:
    """Return what takes the runs of a job out of a history."""
    return lambda history: replace(history, runs=[run for run in history.runs if run.job != job])


BROKEN: dict[str, tuple[str, str, Callable[[History], History]]] = {
    "a committed job is not there": ("LOST", "b", without_row("b")),
    "a job is dead for no reason": ("LOST", "b", with_row("b", state="dead", reason="timed out")),
    "a job is dead of two crashes": ("LOST", "l", with_row("l", crashes=2)),
    "a job is done and never ran": ("LOST", "b", without_runs("b")),
    "a job is cancelled unasked": ("LOST", "b", with_row("b", state="cancelled")),
    "a cancelled job is done": ("LOST", "k", with_row("k", state="done", claims=1)),
    "a child is not there": ("LOST", "h", without_row("h2")),
    "an effect is there twice": ("DUPLICATED", "a", with_effects(a=2)),
    "an effect is not there": ("DUPLICATED", "a", with_effects(a=0)),
    "a job that is dead had an effect": ("DUPLICATED", "l", with_effects(l=1)),
    "an order is paid twice": ("DUPLICATED", "", lambda old: replace(old, paid={1: 2})),
    "a child is there twice": (
        "DUPLICATED",
        "h",
        lambda old: replace(
            old,
            rows={**old.rows, "h3": replace(old.rows["h2"], id="h3")},
            effects={**old.effects, "h3": 1},
            runs=[*old.runs, Run("h3", 7, 3.0, 3.1, "end")],
        ),
    ),
    "a job that was rolled back is there": (
        "PHANTOM",
        "c",
        lambda old: replace(
            old, rows={**old.rows, "c": Row("c", "charge", "cancelled", claims=0, attempts=0)}
        ),
    ),
    "a job that was rolled back ran": ("PHANTOM", "c", with_more(runs=[Run("c", 7, 2.0)])),
    "a job that is not there ran": ("PHANTOM", "d", with_more(runs=[Run("d", 7, 2.0)])),
    "a job that is not there had an effect": ("PHANTOM", "d", with_effects(d=1)),
    "nobody has enqueued a job that ran": ("PHANTOM", "z", with_more(runs=[Run("z", 7, 2.0)])),
    "a child of a job that is not done": (
        "PHANTOM",
        "h2",
        with_row("h", state="dead", reason="crashed worker", crashes=3),
    ),
    "a job is running without a lease": ("STUCK", "a", with_row("a", state="processing")),
    "a job is running for ever": ("STUCK", "a", with_row("a", state="processing", owned=True)),
    "a due job is not taken": ("STUCK", "a", with_row("a", state="queued")),
    "a scheduled job is not queued": ("STUCK", "a", with_row("a", state="scheduled")),
    "a worker ended": ("EXITED", "", with_more(exits=["worker 3 ended by itself with 1"])),
    "a job started early": (
        "EARLY",
        "j",
        lambda old: with_more(runs=[Run("j", 7, 2.9, 2.91, "left")])(with_row("j", claims=2)(old)),
    ),
    "a job was put off after it was early": (
        "EARLY",
        "j",
        lambda old: with_more(
            runs=[Run("j", 7, 2.0, 2.1, "left")], asked=[Asked("run_now", "j", 2.5)]
        )(with_row("j", claims=2)(old)),
    ),
    "more attempts than allowed": (
        "OVERCOUNTED",
        "f",
        with_row("f", attempts=3, claims=3),
    ),
    "more crashes than kill": ("OVERCOUNTED", "g", with_row("g", crashes=4, claims=4)),
    "a start without a claim": ("OVERCOUNTED", "b", with_row("b", claims=1)),
    "an attempt without a claim": ("OVERCOUNTED", "a", with_row("a", attempts=2)),
    "a living worker was taken for dead": ("STOLEN", "", lambda old: replace(old, taken=1)),
}


@pytest.mark.parametrize("what", BROKEN)
def test_what_is_wrong_is_found(what: str) -> None:
    verdict, job, change = BROKEN[what]
    found = check(change(CLEAN))
    assert (verdict, job) in {(one.verdict, one.job) for one in found}


def test_each_verdict_can_be_reached() -> None:
    assert {verdict for verdict, _, _ in BROKEN.values()} == set(VERDICTS)


def test_a_job_that_was_hurried_is_not_early() -> None:
    hurried = with_more(runs=[Run("j", 7, 2.0, 2.1, "left")], asked=[Asked("run_now", "j", 1.5)])(
        with_row("j", claims=2)(CLEAN)
    )
    assert check(hurried) == []


def test_the_replay_of_a_child_is_no_second_child() -> None:
    dead = {"state": "dead", "reason": "crashed worker", "crashes": 3}
    replayed = replace(
        with_row("h2", **dead)(CLEAN),
        enqueued=[*CLEAN.enqueued, Enqueued("r", "charge", 5.0)],
        runs=[*CLEAN.runs, Run("r", 7, 6.0, 6.1, "end")],
        effects={**CLEAN.effects, "h2": 0, "r": 1},
    )
    again = Row("r", "charge", "done", parent="h", replay_of="h2")
    assert check(replace(replayed, rows={**replayed.rows, "r": again})) == []


def test_a_crash_of_the_server_may_forget_one_claim_of_a_job_and_not_two() -> None:
    crashed = replace(CLEAN, forgotten=1)
    assert check(with_row("b", claims=1)(crashed)) == []
    assert [one.verdict for one in check(with_row("b", claims=0)(crashed))] == ["OVERCOUNTED"]


def test_the_time_from_a_kill_to_the_next_start_is_measured_for_jobs_that_ran_there() -> None:
    assert CLEAN.recoveries() == [0.5]


def test_the_journal_is_read_as_it_is_written() -> None:
    read = operations(
        [
            {
                "what": "enqueue",
                "batch": "1",
                "at": 1.0,
                "jobs": [{"id": "a", "task": "charge", "delay": 2.0}],
            },
            {"what": "fate", "batch": "1", "fate": "committed"},
            {
                "what": "enqueue",
                "batch": "2",
                "at": 1.5,
                "jobs": [{"id": "b", "task": "send", "delay": 0}],
            },
            {"what": "start", "job": "a", "run": "r", "process": 7, "at": 3.5},
            {"what": "fault begins", "kind": "restart", "seat": 0, "at": 3.55},
            {"what": "fault begins", "kind": "kill", "seat": 0, "at": 3.6},
            {"what": "killed", "worker": 8, "at": 3.6},
            {"what": "end", "job": "a", "run": "r", "process": 7, "at": 3.7},
            {"what": "ask", "verb": "cancel", "job": "a", "at": 4.0, "delay": 0.0},
            {"what": "ask", "verb": "reschedule", "job": "b", "at": 4.1, "delay": 1.0},
            {"what": "answer", "verb": "reschedule", "job": "b", "answer": "scheduled"},
        ]
    )
    assert read == {
        "enqueued": [
            Enqueued("a", "charge", 1.0, "committed", 2.0),
            Enqueued("b", "send", 1.5, "unknown", 0),
        ],
        "runs": [Run("a", 7, 3.5, 3.7, "end")],
        "asked": [
            Asked("cancel", "a", 4.0, 0.0, ""),
            Asked("reschedule", "b", 4.1, 1.0, "scheduled"),
        ],
        "killed": [(8, 3.6)],
        "forgotten": 1,
    }
