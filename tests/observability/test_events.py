"""Every event of a worker changes the metrics that tell of it, and nothing in it leaks."""

from __future__ import annotations

import threading
from typing import Any
from uuid import uuid4

import pytest
from prometheus_client import CollectorRegistry, generate_latest

from docs.src.reference.events import all_events
from soniq_sa import ConfigurationError, OptionError, Soniq, events
from soniq_sa.observability import PrometheusMetrics
from soniq_sa.observability.metrics import METRICS
from soniq_sa.outcome import Failed
from soniq_sa.states import AttemptOutcome, Reason
from tests.process.shop import Base

JOB = uuid4()
HIDDEN = "a-secret-of-the-job"
FAILURE = Failed(HIDDEN, HIDDEN, AttemptOutcome.FAILED, Reason.RETRIES_EXHAUSTED, None)
NOT_BEGUN = Failed(HIDDEN, HIDDEN, None, Reason.EXPIRED, None)
URL = f"postgresql+asyncpg://{HIDDEN}@db/shop"

CASES: list[tuple[events.Event, dict[str, float]]] = [
    (
        events.WorkerStarted(uuid4(), URL, ("a", "b"), ("send",), 7, direct=True, loop="asyncio"),
        {
            "worker_running": 1,
            "worker_concurrency": 7,
            'jobs_done_total{task="send"}': 0,
            'jobs_dead_total{reason="timed out",task="send"}': 0,
            'event_loop_blocked{task="send"}': 0,
        },
    ),
    (events.WorkerDraining(3, 30), {"worker_draining": 1}),
    (
        events.WorkerStopped(2),
        {
            "worker_running": 0,
            "worker_draining": 0,
            'jobs_released_total{reason="worker stopped"}': 2,
        },
    ),
    (
        events.JobsDone([uuid4() for _ in range(3)], ["send", "load", "send"]),
        {'jobs_done_total{task="send"}': 2, 'jobs_done_total{task="load"}': 1},
    ),
    (
        events.JobFailed(JOB, "send", 1, 3, FAILURE),
        {'attempts_failed_total{outcome="failed",task="send"}': 1},
    ),
    (
        events.JobFailed(JOB, "send", 1, 3, NOT_BEGUN),
        {'attempts_failed_total{outcome="not begun",task="send"}': 1},
    ),
    (
        events.JobDied(JOB, "send", Reason.CRASHED_WORKER),
        {'jobs_dead_total{reason="crashed worker",task="send"}': 1},
    ),
    (events.JobSnoozed(JOB, "send", 5, HIDDEN), {'jobs_snoozed_total{task="send"}': 1}),
    (events.JobCancelled(JOB, "send", HIDDEN), {'jobs_cancelled_total{task="send"}': 1}),
    (events.JobLost(JOB, "send"), {'jobs_lost_total{task="send"}': 1}),
    (events.LeaseLost(4), {"lease_lost_total": 1}),
    (events.LeaseLetGo("send", 300.0), {'leases_let_go_total{task="send"}': 1}),
    (
        events.JobsRescued(3, 1),
        {'jobs_rescued_total{state="queued"}': 3, 'jobs_rescued_total{state="dead"}': 1},
    ),
    (events.JobsPruned(9), {"jobs_pruned_total": 9}),
    (events.JobsHeld([uuid4(), uuid4()], HIDDEN), {"jobs_held_total": 2}),
    (events.JobsReleased(4), {'jobs_released_total{reason="lost answer"}': 4}),
    (events.HandlerAbandoned(JOB, "send"), {'handlers_abandoned_total{task="send"}': 1}),
    (
        events.LoopBlocked("send", JOB, 1.0, HIDDEN, gil_held=False),
        {'event_loop_blocks_total{task="send"}': 1, 'event_loop_blocked{task="send"}': 1},
    ),
    (
        events.LoopBlocked(None, None, 1.0, HIDDEN, gil_held=False),
        {'event_loop_blocks_total{task="unknown"}': 1, 'event_loop_blocked{task="unknown"}': 1},
    ),
    (
        events.LoopFreed("send", 2.5),
        {
            'event_loop_blocked_seconds_total{task="send"}': 2.5,
            'event_loop_blocked{task="send"}': 0,
        },
    ),
    (
        events.LoopFreed(
            "send", -0.1
        ),  # a counter refuses it; the gauge has to be cleared all the same
        {
            'event_loop_blocked_seconds_total{task="send"}': 0,
            'event_loop_blocked{task="send"}': 0,
        },
    ),
    (
        events.DatabaseLost("claimer", HIDDEN, 1),
        {'database_lost_total{part="claimer"}': 1, 'database_up{part="claimer"}': 0},
    ),
    (events.DatabaseLost(URL, HIDDEN, 1), {'database_up{part="worker"}': 0}),
    (events.DatabaseBack("claimer"), {'database_up{part="claimer"}': 1}),
    (events.SchemaBehind(URL, (HIDDEN,)), {"schema_behind": 1}),
    (events.WakeupsUnheard(URL), {"wakeups_unheard": 1}),
    (events.PartFailed("pruner", HIDDEN), {'parts_failed_total{part="pruner"}': 1}),
    (
        events.HookFailed(JOB, "send", "before_job", HIDDEN, HIDDEN),
        {'hooks_failed_total{kind="before_job"}': 1},
    ),
    (
        events.ResourceFailed("shop.mailer", "at opening", HIDDEN),
        {'resources_failed_total{resource="shop.mailer"}': 1},
    ),
]


@pytest.fixture
def soniq() -> Soniq:
    return Soniq(Base.metadata)


def exposed(registry: CollectorRegistry) -> dict[str, float]:
    """Return what would be scraped, by name and labels, without the prefix."""
    lines = generate_latest(registry).decode().splitlines()
    pairs = [line.rsplit(" ", 1) for line in lines if line.startswith("soniq_sa_")]
    return {name.removeprefix("soniq_sa_"): float(number) for name, number in pairs}


@pytest.mark.parametrize(
    ("event", "changed"),
    CASES,
    ids=[f"{n}-{type(one).__name__}" for n, (one, _) in enumerate(CASES)],
)
def test_an_event_changes_what_tells_of_it(
    soniq: Soniq, registry: CollectorRegistry, event: events.Event, changed: dict[str, float]
) -> None:
    PrometheusMetrics(soniq, registry)
    soniq.events.emit(event)
    after = exposed(registry)
    assert {name: after.get(name) for name in changed} == changed
    assert HIDDEN not in generate_latest(registry).decode()


def test_no_event_is_forgotten() -> None:
    assert {type(event) for event, _ in CASES} == set(all_events())


def test_no_metric_is_forgotten() -> None:
    told = {name.partition("{")[0] for _, changed in CASES for name in changed} | {"worker_info"}
    assert told == {one.name.removeprefix("soniq_sa_") for one in METRICS}


def test_the_info_names_the_release_the_loop_and_the_queues(
    soniq: Soniq, registry: CollectorRegistry
) -> None:
    PrometheusMetrics(soniq, registry)
    soniq.events.emit(CASES[0][0])
    (line,) = [name for name in exposed(registry) if name.startswith("worker_info{")]
    for part in ('loop="asyncio"', 'liveness="lease and lock"', 'queues="a,b"', 'version="'):
        assert part in line


def test_a_label_takes_200_values_and_counts_the_others_together(
    soniq: Soniq, registry: CollectorRegistry
) -> None:
    PrometheusMetrics(soniq, registry)
    for number in range(1000):
        soniq.events.emit(events.JobDied(JOB, f"task-{number}", Reason.CRASHED_WORKER))
        soniq.events.emit(events.JobLost(JOB, f"task-{999 - number}"))
    after = exposed(registry)
    dead = {name: one for name, one in after.items() if name.startswith("jobs_dead_total")}
    assert len(dead) == 201
    assert sum(dead.values()) == 1000
    assert dead['jobs_dead_total{reason="crashed worker",task="other"}'] == 800
    assert len([name for name in after if name.startswith("jobs_lost_total{")]) == 201


def test_the_tasks_of_the_worker_keep_their_names_whatever_comes(
    soniq: Soniq, registry: CollectorRegistry
) -> None:
    PrometheusMetrics(soniq, registry, label_values=2)
    soniq.events.emit(CASES[0][0])
    for number in range(3):
        soniq.events.emit(events.JobLost(JOB, f"stranger-{number}"))
    soniq.events.emit(events.JobLost(JOB, "send"))
    after = exposed(registry)
    assert after['jobs_lost_total{task="send"}'] == 1
    assert after['jobs_lost_total{task="stranger-0"}'] == 1
    assert after['jobs_lost_total{task="other"}'] == 2


@pytest.mark.parametrize(
    "name",
    ['a"b\\c\nd', "x" * 1_000_000, "\x1b[31m", "", "ä"],
    ids=["quotes", "long", "colour", "empty", "umlaut"],
)
def test_a_hostile_name_stays_one_short_line(
    soniq: Soniq, registry: CollectorRegistry, name: str
) -> None:
    PrometheusMetrics(soniq, registry)
    soniq.events.emit(events.JobLost(JOB, name))
    text = generate_latest(registry).decode()
    (line,) = [one for one in text.split("\n") if one.startswith("soniq_sa_jobs_lost_total")]
    assert line.endswith("} 1.0")
    assert len(line) < 300


def test_events_of_many_threads_are_all_counted(soniq: Soniq, registry: CollectorRegistry) -> None:
    PrometheusMetrics(soniq, registry, label_values=5)

    def emit() -> None:
        for number in range(200):
            soniq.events.emit(events.JobLost(JOB, f"task-{number}"))

    threads = [threading.Thread(target=emit) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    lost = {name: one for name, one in exposed(registry).items() if "jobs_lost_total{" in name}
    assert sum(lost.values()) == 1600
    assert len(lost) == 6


def test_a_registry_takes_the_metrics_once(soniq: Soniq, registry: CollectorRegistry) -> None:
    PrometheusMetrics(soniq, registry)
    with pytest.raises(ConfigurationError, match="Make one PrometheusMetrics for each registry"):
        PrometheusMetrics(soniq, registry)


@pytest.mark.parametrize("wrong", [0, -1])
def test_a_label_takes_at_least_one_value(soniq: Soniq, wrong: Any) -> None:
    with pytest.raises(OptionError, match=f"label_values={wrong} is not 1 or more"):
        PrometheusMetrics(soniq, label_values=wrong)
