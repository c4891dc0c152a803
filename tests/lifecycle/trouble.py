"""Workers that leave, die, lose their connection, or come back after others took them for dead."""

from __future__ import annotations

from uuid import UUID

from hypothesis import strategies as st

from tests.lifecycle.model import LOST, RELEASED
from tests.lifecycle.steps import step
from tests.lifecycle.working import claim_all, draw_suspects, may_claim, note_written
from tests.lifecycle.world import Player, WorkerRow, World


@step(weight=2)
def beat(world: World, data: st.DataObject) -> None:
    player = world.draw_player(data)
    before = player.real.id
    world.do(player.real.beat(lock_anew=not player.locked))
    player.locked = True
    world.workers[player.real.id] = WorkerRow(player.real.lock)
    if player.real.id != before:
        for run in player.runs:
            run.end = run.end or LOST


@step(weight=2, when=lambda world: world.workers)
def let_a_lease_end(world: World, data: st.DataObject) -> None:
    _end_lease(world, _draw_row(world, data))


def _end_lease(world: World, worker_id: UUID) -> None:
    statement = (
        "UPDATE soniq_workers SET expires_at = clock_timestamp() - interval '1 s' WHERE id = $1"
    )
    world.do(world.stage.sql(statement, worker_id))
    world.workers[worker_id].expired = True


@step(when=lambda world: world.workers)
def lose_a_worker_row(world: World, data: st.DataObject) -> None:
    worker_id = _draw_row(world, data)
    world.do(world.stage.sql("DELETE FROM soniq_workers WHERE id = $1", worker_id))
    del world.workers[worker_id]


def _draw_row(world: World, data: st.DataObject) -> UUID:
    """Choose a row of the worker table, which may be nobody's any more."""
    ids = list(world.workers)
    return ids[data.draw(st.integers(0, len(ids) - 1), "worker row")]


def _forgotten(world: World) -> list[Player]:
    return [player for player in world.players if player.real.id not in world.workers]


@step(when=_forgotten)
def enter_again_under_the_same_id(world: World, data: st.DataObject) -> None:
    """Of the fence, only the number of the claim is left to tell the runs of this worker apart."""
    _enter_again(world, data.draw(st.sampled_from(_forgotten(world)), "worker"))


def _enter_again(world: World, player: Player) -> None:
    world.do(player.real.enter_again())
    world.workers[player.real.id] = WorkerRow(player.real.lock, locked=player.locked)


@step()
def lose_a_connection(world: World, data: st.DataObject) -> None:
    player = world.draw_player(data)
    world.do(player.real.lose_lock())
    _note_unlocked(world, player)


@step(weight=2)
def kill_a_worker(world: World, data: st.DataObject) -> None:
    player = world.draw_player(data)
    world.do(player.real.die())
    _note_unlocked(world, player)
    world.remove_player(player)


def _note_unlocked(world: World, player: Player) -> None:
    player.locked = False
    if player.real.id in world.workers:
        world.workers[player.real.id].locked = False


@step(weight=2)
def have_a_worker_leave(world: World, data: st.DataObject) -> None:
    busy = [run.player for run in world.runs_at_gate]
    player = data.draw(st.sampled_from([*busy * 3, *world.players]), "worker")
    world.do(player.real.leave())
    for run in player.runs:
        run.end = run.end or RELEASED
    note_written(world, player)
    world.workers.pop(player.real.id, None)
    world.remove_player(player)


@step(weight=4)
def rescue(world: World, data: st.DataObject) -> None:
    player = world.draw_player(data)
    for _ in range(data.draw(st.integers(1, 2), "looks")):
        world.do(player.real.parts.rescuer.run_once())
        _note_rescue(world, player)


@step(weight=3, when=may_claim)
def crash_with_jobs(world: World, data: st.DataObject) -> None:
    crash(world, data, heard=True)


def crash(world: World, data: st.DataObject, *, heard: bool) -> None:
    """Claim, die, and be found out: the short way to jobs that have taken part in many crashes."""
    player = world.draw_player(data)
    claim_all(world, player, suspects=draw_suspects(world, data), heard=heard)
    worker_id = player.real.id
    world.do(player.real.die())
    _note_unlocked(world, player)
    world.remove_player(player)
    if worker_id in world.workers:
        _end_lease(world, worker_id)
    rescuer = world.draw_player(data)
    world.do(rescuer.real.parts.rescuer.run_once())
    _note_rescue(world, rescuer)


def _may_be_robbed(world: World) -> list[Player]:
    return [
        run.player for run in world.runs_at_gate if run.valid and run.worker_id in world.workers
    ]


@step(weight=8, when=_may_be_robbed)
def rob_a_worker(world: World, data: st.DataObject) -> None:
    """Take the jobs of a worker that goes on: the short way to ends that the fence refuses.

    If it claims them again under the same id, only the number of the claim tells its two runs apart.
    """
    player = data.draw(st.sampled_from(_may_be_robbed(world)), "worker")
    _end_lease(world, player.real.id)
    others = [one for one in world.players if one is not player]
    rescuer = data.draw(st.sampled_from(others), "rescuer")
    world.do(rescuer.real.parts.rescuer.run_once())
    _note_rescue(world, rescuer)
    if data.draw(st.booleans(), "enters again"):
        _enter_again(world, player)
    if may_claim(world):
        claim_all(world, player, suspects=draw_suspects(world, data))


def _note_rescue(world: World, player: Player) -> None:
    """Expect that those are dead whose lease has ended, or whose lock is missed a second time."""
    others = {one: row for one, row in world.workers.items() if one != player.real.id}
    silent = {one: row.lock for one, row in others.items() if not row.expired and not row.locked}
    dead = {one for one, lock in silent.items() if player.suspects.get(one) == lock}
    player.suspects = {one: lock for one, lock in silent.items() if one not in dead}
    dead |= {one for one, row in others.items() if row.expired}
    for one in dead:
        del world.workers[one]
    running = world.those(lambda job: job.state == "processing")
    if not player.has_looked_for_orphans:
        player.has_looked_for_orphans = True
        dead |= {job.worker_id for job in running if job.worker_id} - world.workers.keys()
    for job in running:
        if job.worker_id in dead:
            job.crash()
