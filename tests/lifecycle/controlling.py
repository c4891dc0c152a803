"""What people do to jobs from outside: ``soniq.control`` and ``soniq.dead_letters``."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import strategies as st

from soniq_sa import JobNotFoundError
from tests.lifecycle.model import HOUR, WAITING, Job
from tests.lifecycle.steps import step
from tests.lifecycle.working import cuts, note_cancelled
from tests.lifecycle.world import World


@dataclass(frozen=True)
class Caller:
    """Somebody who calls with a job's id: in a transaction of the call's own, or of a session."""

    world: World
    job: Job
    way: str

    @property
    def commits(self) -> bool:
        """Tell whether what was done stays."""
        return self.way != "rollback"

    def control(self, verb: str, *args: Any, **options: Any) -> Any:
        """Call one of the verbs for jobs."""
        soniq = self.world.stage.soniq
        if self.way == "alone":
            return self.world.do(getattr(soniq, verb)(self.job.id, *args, **options))
        within = getattr(soniq.control, verb)
        return self._in_session(lambda session: within(session, self.job.id, *args, **options))

    def control_or_be_refused(self, allowed: object, verb: str, *args: Any) -> Any:
        """Call one that is not for every state; return a tuple of its answer if anything came of it."""
        return self._or_be_refused(allowed, lambda: self.control(verb, *args))

    def replay_or_be_refused(self, allowed: object) -> Any:
        """Replay the job; return a tuple of its answer if anything came of it."""
        replay = self.world.stage.soniq.dead_letters.replay
        if self.way == "alone":
            return self._or_be_refused(allowed, lambda: self.world.do(replay(self.job.id)))
        return self._or_be_refused(
            allowed,
            lambda: self._in_session(lambda session: replay(self.job.id, session=session)),
        )

    def _or_be_refused(self, allowed: object, call: Callable[[], Any]) -> Any:
        if allowed:
            found = call()
            return (found,) if self.commits else None
        with pytest.raises(JobNotFoundError):
            call()
        return None

    def _in_session(self, call: Callable[[Any], Any]) -> Any:
        async def work() -> Any:
            async with self.world.stage.bench.sessions() as session:
                found = await call(session)
                await (session.commit() if self.commits else session.rollback())
            return found

        return self.world.do(work())


def _draw_caller(world: World, data: st.DataObject, likely: Callable[[Job], object]) -> Caller:
    jobs = [*world.those(likely) * 5, *world.jobs.values()]
    job = data.draw(st.sampled_from(jobs), "job")
    return Caller(world, job, data.draw(st.sampled_from(["alone", "session", "rollback"]), "way"))


def _any_job(world: World) -> object:
    return world.jobs


@step(when=_any_job)
def cancel(world: World, data: st.DataObject) -> None:
    _cancel(world, data, _draw_caller(world, data, lambda job: not job.final))


def _runs(job: Job) -> bool:
    return job.state == "processing"


@step(weight=2, when=lambda world: world.those(_runs))
def cancel_a_running_job(world: World, data: st.DataObject) -> None:
    _cancel(world, data, Caller(world, world.draw_job(data, _runs), "alone"))


def _cancel(world: World, data: st.DataObject, caller: Caller) -> None:
    job, why = caller.job, data.draw(st.sampled_from([None, "the customer left"]), "why")
    runs = _runs(job)
    found = caller.control("cancel", reason=why)
    assert found == ("cancelled" if job.state in WAITING else job.state)
    if not caller.commits:
        return
    job.cancel(why)
    if runs and data.draw(st.booleans(), "told"):
        for player in world.players:
            world.do(player.real.hear_of_cancel(job.id))
            note_cancelled(player, job)


def _waits(job: Job) -> bool:
    return job.state in WAITING


@step(when=_any_job)
def reschedule(world: World, data: st.DataObject) -> None:
    caller = _draw_caller(world, data, _waits)
    seconds = data.draw(st.sampled_from([0.0, HOUR]), "seconds")
    if done := caller.control_or_be_refused(_waits(caller.job), "reschedule", seconds):
        assert done[0] == caller.job.put_off(seconds)


@step(when=_any_job)
def run_now(world: World, data: st.DataObject) -> None:
    caller = _draw_caller(world, data, lambda job: job.state == "scheduled")
    if caller.control_or_be_refused(_waits(caller.job), "run_now"):
        caller.job.put_off(0)


@step(when=_any_job)
def retry_now(world: World, data: st.DataObject) -> None:
    caller = _draw_caller(world, data, lambda job: job.state == "scheduled" and job.attempts)
    allowed = caller.job.state == "scheduled" and caller.job.attempts
    if caller.control_or_be_refused(allowed, "retry_now"):
        caller.job.put_off(0)


@step(when=_any_job)
def set_priority(world: World, data: st.DataObject) -> None:
    caller = _draw_caller(world, data, _waits)
    priority = data.draw(st.sampled_from([1, 100, 1000]), "priority")
    if caller.control_or_be_refused(_waits(caller.job), "set_priority", priority):
        caller.job.priority = priority


@step(when=_any_job)
def delete(world: World, data: st.DataObject) -> None:
    caller = _draw_caller(world, data, lambda _: False)
    if caller.control_or_be_refused(caller.job.state != "processing", "delete"):
        del world.jobs[caller.job.id]


def _is_dead(job: Job) -> bool:
    return job.state == "dead"


@step(weight=2, when=lambda world: world.those(_is_dead))
def replay(world: World, data: st.DataObject) -> None:
    caller = _draw_caller(world, data, _is_dead)
    if done := caller.replay_or_be_refused(_is_dead(caller.job)):
        (new_id,) = done
        world.jobs[new_id] = caller.job.replay(world.next_number(), new_id)


@step(when=lambda world: world.those(_is_dead))
def replay_many(world: World, data: st.DataObject) -> None:
    dead = _oldest_dead(world, lambda job: not job.replays)
    limit = data.draw(st.sampled_from([*cuts(dead, _ended_together), None]), "limit")
    dead = dead[:limit]
    assert world.do(world.stage.soniq.dead_letters.replay_many(limit=limit)) == len(dead)
    found = world.do(world.stage.sql("SELECT id, replay_of FROM soniq_jobs"))
    fresh = {row["replay_of"]: row["id"] for row in found if row["id"] not in world.jobs}
    assert fresh.keys() == {job.id for job in dead}
    for job in sorted(dead, key=lambda job: job.number):
        new_id = fresh[job.id]
        world.jobs[new_id] = job.replay(world.next_number(), new_id)


@step(when=lambda world: world.those(_is_dead))
def delete_dead_letters(world: World, data: st.DataObject) -> None:
    every = list(world.jobs.values())
    jobs = data.draw(st.lists(st.sampled_from(every), min_size=1, max_size=3), "jobs")
    ids = {job.id for job in jobs if _is_dead(job)}
    assert world.do(world.stage.soniq.dead_letters.delete(*(job.id for job in jobs))) == len(ids)
    for one in ids:
        del world.jobs[one]


@step(when=lambda world: world.those(_is_dead))
def purge_dead_letters(world: World, data: st.DataObject) -> None:
    by_reason = data.draw(st.booleans(), "by reason")
    dead = _oldest_dead(world, lambda job: not by_reason or job.reason == "discarded")
    limit = data.draw(st.sampled_from(cuts(dead, _ended_together)), "limit")
    letters = world.stage.soniq.dead_letters
    if by_reason:
        deleted = world.do(letters.delete(reason="discarded", limit=limit))
    else:
        deleted = world.do(letters.purge(older_than=0, limit=limit))
    assert deleted == len(dead[:limit])
    for job in dead[:limit]:
        del world.jobs[job.id]


def _oldest_dead(world: World, condition: Callable[[Job], bool]) -> list[Job]:
    dead = world.those(lambda job: _is_dead(job) and condition(job))
    return sorted(dead, key=lambda job: (job.finished_at, job.id))


def _ended_together(one: Job, other: Job) -> bool:
    return one.end_step == other.end_step
