"""What workers do with jobs while all goes well, and while they do not know that it does not."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hypothesis import strategies as st

from tests.lifecycle.model import EXPIRED, LOST, RELEASED, SUSPECT_AFTER, End, Job
from tests.lifecycle.producing import GONE, QUEUES
from tests.lifecycle.steps import step
from tests.lifecycle.tasks import (
    CANCELLED,
    DONE,
    ENDINGS,
    ENTITY_GONE,
    INVALID_ARGUMENTS,
    SPECS,
    Ending,
    timed_out,
)
from tests.lifecycle.world import Player, Run, World

ROOM = 12
"""Runs at a time: a handler with a session holds one of the 15 connections of the pool."""

FEW = 3
"""Handlers at their gates; with more of them, one is likelier to end than another to be called."""

TASKS = [spec.name for spec in SPECS]
_ENDINGS = st.sampled_from([*[DONE] * 8, *ENDINGS])


def _queued(world: World) -> list[Job]:
    return world.those(lambda job: job.state == "queued")


def may_claim(world: World) -> object:
    """Tell whether there is a job, and room for its run."""
    return len(world.runs) < ROOM and _queued(world)


@step(weight=6, when=lambda world: may_claim(world) and len(world.runs_at_gate) < FEW)
def claim(world: World, data: st.DataObject) -> None:
    player = world.draw_player(data)
    suspects = draw_suspects(world, data)
    wanted = _claimable(world, QUEUES, TASKS, suspects=suspects)
    limit = data.draw(st.sampled_from(cuts(wanted, _share_run_at)), "limit")
    _claim(world, player, QUEUES, TASKS, limit, suspects=suspects)


@step(when=may_claim)
def claim_some_tasks_or_queues(world: World, data: st.DataObject) -> None:
    player = world.draw_player(data)
    queues = data.draw(st.sampled_from([QUEUES[::-1], QUEUES[1:], ["other", *QUEUES]]), "queues")
    tasks = data.draw(st.sampled_from([TASKS[:1], TASKS[1:], ["other"]]), "tasks")
    suspects = draw_suspects(world, data)
    wanted = _claimable(world, queues, tasks, suspects=suspects)
    limit = data.draw(st.sampled_from(cuts(wanted, _share_run_at)), "limit")
    _claim(world, player, queues, tasks, limit, suspects=suspects)


@step(when=may_claim)
def claim_without_hearing_the_answer(world: World, data: st.DataObject) -> None:
    player = world.draw_player(data)
    claim_all(world, player, suspects=draw_suspects(world, data), heard=False)


@step(weight=2, when=may_claim)
def run_all_jobs(world: World, data: st.DataObject) -> None:
    player = world.draw_player(data)
    ending = data.draw(_ENDINGS, "ending")
    for run in claim_all(world, player, suspects=draw_suspects(world, data)):
        if run.end is None:
            _end(world, run, ending)
    _write(world, player)


def draw_suspects(world: World, data: st.DataObject) -> bool:
    """Choose whether to claim jobs that may take their worker down, if there are such."""
    there = {job.crashes >= SUSPECT_AFTER for job in _queued(world)}
    return data.draw(st.sampled_from(sorted(there, reverse=True)), "suspects")


def claim_all(world: World, player: Player, *, suspects: bool, heard: bool = True) -> list[Run]:
    """Claim as many jobs as there is room for."""
    return _claim(world, player, QUEUES, TASKS, ROOM, suspects=suspects, heard=heard)


def _claim(
    world: World,
    player: Player,
    queues: list[str],
    tasks: list[str],
    limit: int,
    *,
    suspects: bool,
    heard: bool = True,
) -> list[Run]:
    """Claim jobs, and expect the first of each queue."""
    wanted = _claimable(world, queues, tasks, suspects=suspects)
    room = [cut for cut in cuts(wanted, _share_run_at) if cut <= ROOM - len(world.runs)]
    limit = min(limit, max(room, default=0))
    worker_id = player.real.id
    if worker_id not in world.workers:
        wanted = []
    claimed = world.do(player.real.claim(queues, tasks, limit, suspects=suspects, heard=heard))
    assert {held.id for held in claimed} == {job.id for job in wanted[:limit]}
    runs: list[Run] = []
    for held in sorted(claimed, key=lambda held: world.jobs[held.id].number):
        job = world.jobs[held.id]
        job.claim(worker_id)
        assert (held.claims, held.attempt) == (job.claims, job.attempts + 1)
        fence = job.id, job.claims
        runs.append(Run(player, job, fence, worker_id, world.moment, end_before_start(job)))
    if heard:
        player.runs += runs
    return runs


def _claimable(world: World, queues: list[str], tasks: list[str], *, suspects: bool) -> list[Job]:
    """Return what may be claimed, queue by queue, and what comes first in each first.

    Suspects come in the order of their times, whatever their priority.
    """
    jobs = [
        job
        for job in _queued(world)
        if job.queue in queues and job.task in tasks and (job.crashes >= SUSPECT_AFTER) == suspects
    ]

    def place(job: Job) -> tuple[Any, ...]:
        return (queues.index(job.queue), 0 if suspects else job.priority, job.run_at, job.id)

    return sorted(jobs, key=place)


def cuts(jobs: list[Job], together: Callable[[Job, Job], bool]) -> list[int]:
    """Return limits that divide ``jobs`` where their order is known, and one that takes them all.

    What one statement writes gets its times in an order that may differ when a program is repeated.
    """
    within = [n for n in range(1, len(jobs)) if not together(jobs[n - 1], jobs[n])]
    return [*within, len(jobs) + 1]


def _share_run_at(one: Job, other: Job) -> bool:
    return one.batched and other.batched and one.run_step == other.run_step


def end_before_start(job: Job) -> End | None:
    """Return how a run ends whose handler is not called."""
    if job.late:
        return EXPIRED
    if job.broken:
        return INVALID_ARGUMENTS
    return ENTITY_GONE if job.order == GONE else None


@step(weight=3, when=lambda world: world.runs_at_gate)
def end_a_run(world: World, data: st.DataObject) -> None:
    run = world.draw_run(data)
    _end(world, run, data.draw(_ENDINGS, "ending"))


@step(weight=7, when=lambda world: world.runs_at_gate)
def end_a_run_and_write_it(world: World, data: st.DataObject) -> None:
    run = world.draw_run(data)
    _end(world, run, data.draw(_ENDINGS, "ending"))
    _write(world, run.player)


def _stale(world: World) -> list[Run]:
    return [run for run in world.runs_at_gate if not run.valid]


@step(weight=9, when=_stale)
def end_a_run_that_has_lost_its_job(world: World, data: st.DataObject) -> None:
    run = data.draw(st.sampled_from(_stale(world)), "run")
    _end(world, run, data.draw(_ENDINGS, "ending"))
    _write(world, run.player)


def _end(world: World, run: Run, ending: Ending) -> None:
    """Have a handler end; one with a session commits what becomes of its job by itself."""
    spec, held = world.stage.specs[run.job.task], run.player.real.held[run.fence]
    valid, children = run.valid, len(world.stage.children)
    world.do(run.player.real.finish(run.fence, ending))
    run.end = ending.end(spec, held.attempt)
    has_child = ending.child and (spec.writes == "alone" or valid)
    if spec.in_session and ending.commits:
        world.end_job(run, run.end)
        run.end = LOST
    elif spec.in_session:
        has_child = False
    elif ending.child and not has_child:
        run.end = LOST  # told by its ctx.transaction()
    if has_child:
        ((_, child),) = world.stage.children[children:]
        world.add_child(child, run if spec.in_session else None)


@step(weight=2, when=lambda world: world.runs_at_gate)
def say_progress(world: World, data: st.DataObject) -> None:
    run = world.draw_run(data)
    done = float(data.draw(st.integers(0, 100), "done"))
    world.do(run.player.real.say_progress(run.fence, done))
    run.reported = True
    if (run.job.claims, run.job.worker_id) == (run.fence[1], run.worker_id):
        run.job.progress = run.fence[1], done


@step(when=lambda world: world.runs_at_gate)
def let_an_attempt_take_too_long(world: World, data: st.DataObject) -> None:
    run = world.draw_run(data)
    held = run.player.real.held[run.fence]
    world.do(run.player.real.time_out(run.fence))
    run.end = timed_out(world.stage.specs[run.job.task], held.attempt)


@step(weight=3, when=lambda world: len(world.runs) > len(world.runs_at_gate))
def write_the_ends(world: World, data: st.DataObject) -> None:
    _write(world, world.draw_player(data))


def _write(world: World, player: Player) -> None:
    world.do(player.real.write())
    note_written(world, player)


def _one_end(world: World) -> list[Player]:
    """Return the workers that have one end to write, so that it is known which statement that is."""
    return [
        player
        for player in world.players
        if sum(run.end is not None and run.end is not LOST for run in player.runs) == 1
    ]


@step(weight=4, when=_one_end)
def write_an_end_without_hearing_the_answer(world: World, data: st.DataObject) -> None:
    player = data.draw(st.sampled_from(_one_end(world)), "worker")
    world.do(player.real.write_without_hearing())
    for run in player.runs:
        if run.end is not None:
            world.end_job(run, run.end)
    if data.draw(st.booleans(), "at once again"):
        _write(world, player)


def note_written(world: World, player: Player) -> None:
    """Expect the ends of runs."""
    for run in [run for run in player.runs if run.end is not None]:
        player.runs.remove(run)
        if run.end is not None:
            world.end_job(run, run.end)


@step(when=lambda world: world.those(lambda job: job.state == "processing"))
def give_back_what_is_not_known(world: World, data: st.DataObject) -> None:
    player = world.draw_player(data)
    world.do(player.real.compare())
    known = {run.fence for run in player.runs}
    for job in world.those(lambda job: job.belongs_to(job.claims, player.real.id)):
        if (job.id, job.claims) not in known:
            job.end(RELEASED)
        elif job.cancel_requested_at is not None:
            note_cancelled(player, job)


def note_cancelled(player: Player, job: Job) -> None:
    """Expect that a handler is cancelled where it runs."""
    for run in player.runs:
        if run.fence[0] == job.id:
            run.end = run.end or CANCELLED
