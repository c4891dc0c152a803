"""Looking at dead jobs, replaying them, and deleting them.

A dead job is never changed, but for its count of replays and its tags. A replay is given what is to
differ in the fresh job. What goes through many of them
takes the oldest first, passes over those that somebody else has locked, and ends with those that were
dead when it began: a replayed job may be dead again before it is through. A row that somebody made dead
by hand, without ``finished_at``, is found by its id only.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import (
    Column,
    DateTime,
    Double,
    Executable,
    Integer,
    Select,
    Subquery,
    Table,
    Text,
    Update,
    Uuid,
    any_,
    bindparam,
    cast,
    func,
    insert,
    literal,
    literal_column,
    select,
    tuple_,
    type_coerce,
    update,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.sql.elements import ColumnElement

from soniq_sa.dead_filter import DeadFilter
from soniq_sa.models.roles import Models
from soniq_sa.statements.removal import remove_jobs
from soniq_sa.statements.rows import SECOND, array, due_time, has_state, state_is, state_until
from soniq_sa.states import JobState

SET_ANEW = frozenset({
    "id", "state", "run_at", "attempts", "claims", "crashes", "replay_of", "created_at"
})  # fmt: skip
"""The columns that a replay sets."""

LEFT_OUT = frozenset(
    {
        "worker_id",
        "claimed_at",
        "finished_at",
        "keep_until",
        "expires_at",
        "cancel_requested_at",
        "result",
        "replays",
        "reason",
        "error",
    }
)
"""The columns that belong to the dead job; every other is copied, those of the user too."""

_TIME = DateTime(timezone=True)
_AS_TEXT = ("args", "tags", "headers")


def list_dead(
    models: Models, filters: DeadFilter, *, oldest_first: bool, following: bool
) -> Executable:
    """Return a page of dead jobs, with their JSON as text.

    Parameters: page_size; with ``following`` also after_time and after_id, the last of the page before.
    """
    jobs = models.jobs
    order = (jobs.c.finished_at, jobs.c.id)
    page = (
        select(*_shown(jobs))
        .where(*_matching(jobs, filters))
        .order_by(*(order if oldest_first else [one.desc() for one in order]))
        .limit(bindparam("page_size", type_=Integer()))
    )
    if not following:
        return page
    return page.where(_is_behind(jobs) if oldest_first else tuple_(*order) < _last())


def find_dead(models: Models, *, locked: bool = False) -> Executable:
    """Return a dead job as `list_dead` does. Parameter: dead_id. locked: Keep others from it."""
    jobs = models.jobs
    found = select(*_shown(jobs)).where(
        jobs.c.id == bindparam("dead_id", type_=Uuid()), has_state(jobs, JobState.DEAD)
    )
    return found.with_for_update() if locked else found


def _shown(jobs: Table) -> list[Any]:
    return [
        cast(column, Text).label(column.name) if column.name in _AS_TEXT else column
        for column in jobs.c
    ]


def count_dead(models: Models, filters: DeadFilter) -> Executable:
    """Return how many jobs are dead, by task, queue and reason; and since when, over all of them."""
    jobs = models.jobs
    by = (jobs.c.task, jobs.c.queue, jobs.c.reason)
    return (
        select(
            *by,
            func.count().label("total"),
            func.count().filter(jobs.c.replays > 0).label("replayed"),
            func.coalesce(func.sum(jobs.c.replays), 0).label("replays"),
            func.min(func.min(jobs.c.finished_at)).over().label("oldest"),
            func.max(func.max(jobs.c.finished_at)).over().label("newest"),
        )
        .where(*_matching(jobs, filters))
        .group_by(*by)
    )


def replay_dead(models: Models) -> Executable:
    """Make a fresh job of each dead one. Parameters: dead_ids and new_ids (arrays of equal length).

    And, for all of the fresh jobs: new_queue, new_priority and attempt_limit (None: as in the dead
    job), due_at (or None), delay (seconds).

    Waits for those who work on the same rows. Returns id, queue, state, dead_id and finished_at, the
    oldest first.
    """
    return _replay(models, _among(models.jobs))


def replay_matching(models: Models, filters: DeadFilter, *, following: bool) -> Executable:
    """Make fresh jobs of the oldest dead ones that match, up to ``batch_size``; see `replay_dead`.

    Parameters: new_ids (array, one for each of the batch), batch_size, began_at; with ``following``
    also after_time and after_id, the last of the batch before; and those for the fresh jobs.
    """
    return _replay(models, _picked(models.jobs, filters, following=following))


def pick_matching(models: Models, filters: DeadFilter, *, following: bool) -> Executable:
    """Lock what `replay_matching` would replay. Parameters: as there, but for the fresh jobs.

    Returns id and finished_at, the oldest first.
    """
    return _oldest(models.jobs, filters, following=following)


def delete_dead(models: Models) -> Executable:
    """Delete dead jobs, their attempts and their progress. Parameter: dead_ids (array).

    Returns the ids that were deleted.
    """
    return _delete(models, _among(models.jobs))


def delete_matching(models: Models, filters: DeadFilter) -> Executable:
    """Delete the oldest dead jobs that match, up to ``batch_size``; as `delete_dead`.

    Parameters: batch_size, began_at.
    """
    return _delete(models, _picked(models.jobs, filters, following=False))


def set_dead_tags(models: Models) -> Update:
    """Give a dead job other tags. Parameters: dead_id, new_tags (JSON)."""
    jobs = models.jobs
    return (
        update(jobs)
        .where(
            jobs.c.id == bindparam("dead_id", type_=Uuid()),
            has_state(jobs, JobState.DEAD),
        )
        .values(tags=cast(bindparam("new_tags", type_=Text()), JSONB))
    )


def database_time() -> Executable:
    """Return the time."""
    return select(func.clock_timestamp())


def _replay(models: Models, which: ColumnElement[bool]) -> Executable:
    jobs = models.jobs
    copied = [column for column in jobs.c if _is_copied(column)]
    counted = (
        update(jobs)
        .where(which, has_state(jobs, JobState.DEAD))
        .values(replays=func.coalesce(jobs.c.replays, 0) + 1)
        .returning(jobs.c.id, jobs.c.finished_at, *copied)
        .cte("counted")
    )
    place = func.row_number().over(order_by=(counted.c.finished_at, counted.c.id))
    placed = select(counted, place.label("place")).subquery("placed")
    new = (
        func.unnest(array("new_ids", Uuid()))
        .table_valued("new_id", with_ordinality="place")
        .render_derived(name="new")
    )
    values = {
        **{column.key: placed.c[column.key] for column in copied},
        **_given(placed),
        "id": new.c.new_id,
        "attempts": literal_column("0"),
        "claims": literal_column("0"),
        "crashes": literal_column("0"),
        "replay_of": placed.c.id,
        "created_at": func.now(),
    }
    source = select(*values.values()).join_from(placed, new, new.c.place == placed.c.place)
    fresh = (
        insert(jobs)
        .from_select(list(values), source, include_defaults=False)
        .returning(jobs.c.id, jobs.c.queue, jobs.c.state, jobs.c.replay_of)
        .cte("fresh")
    )
    dead_id = counted.c.id.label("dead_id")
    return (
        select(fresh.c.id, fresh.c.queue, fresh.c.state, dead_id, counted.c.finished_at)
        .join_from(fresh, counted, counted.c.id == fresh.c.replay_of)
        .order_by(counted.c.finished_at, counted.c.id)
    )


def _given(placed: Subquery) -> dict[str, ColumnElement[Any]]:
    """Return the columns of a fresh job in which it may differ from the dead one."""
    run_at = due_time(bindparam("due_at", type_=_TIME), bindparam("delay", type_=Double()))
    return {
        "queue": _or_given("new_queue", placed.c.queue),
        "priority": _or_given("new_priority", placed.c.priority),
        "max_attempts": _or_given("attempt_limit", placed.c.max_attempts),
        "run_at": run_at,
        "state": state_until(run_at),
    }


def _or_given(name: str, value: ColumnElement[Any]) -> ColumnElement[Any]:
    return func.coalesce(cast(bindparam(name, type_=value.type), value.type), value)


def _is_copied(column: Column[Any]) -> bool:
    """Tell whether a replay has the dead job's value; the database makes some values by itself."""
    made = column.computed is not None or column.identity is not None
    return not made and column.name not in SET_ANEW | LEFT_OUT


def _delete(models: Models, which: ColumnElement[bool]) -> Executable:
    return remove_jobs(models, which, has_state(models.jobs, JobState.DEAD))


def _picked(jobs: Table, filters: DeadFilter, *, following: bool) -> ColumnElement[bool]:
    """Return the condition for the locked rows of one batch: the oldest of them that match."""
    picked = _oldest(jobs, filters, following=following).cte("picked")
    return _is_any_of(jobs, func.array(select(picked.c.id).scalar_subquery()))


def _oldest(jobs: Table, filters: DeadFilter, *, following: bool) -> Select[Any, Any]:
    found = (
        select(jobs.c.id, jobs.c.finished_at)
        .where(
            *_matching(jobs, filters),
            jobs.c.finished_at <= bindparam("began_at", type_=_TIME),
        )
        .order_by(jobs.c.finished_at, jobs.c.id)
        .limit(bindparam("batch_size", type_=Integer()))
        .with_for_update(skip_locked=True)
    )
    return found.where(_is_behind(jobs)) if following else found


def _among(jobs: Table) -> ColumnElement[bool]:
    return _is_any_of(jobs, array("dead_ids", Uuid()))


def _is_any_of(jobs: Table, ids: Any) -> ColumnElement[bool]:
    return jobs.c.id == any_(ids)


def _is_behind(jobs: Table) -> ColumnElement[bool]:
    behind: ColumnElement[bool] = tuple_(jobs.c.finished_at, jobs.c.id) > _last()
    return behind


def _last() -> Any:
    return tuple_(bindparam("after_time", type_=_TIME), bindparam("after_id", type_=Uuid()))


def _matching(jobs: Table, filters: DeadFilter) -> list[ColumnElement[bool]]:
    columns = jobs.c
    found = [state_is(jobs, JobState.DEAD), columns.finished_at.is_not(None)]
    found += [
        columns[name] == value
        for name in ("task", "queue", "reason")
        if (value := getattr(filters, name)) is not None
    ]
    if filters.error is not None:
        found.append(columns.error.icontains(filters.error, autoescape=True))
    if filters.since is not None:
        found.append(columns.finished_at >= _moment(filters.since))
    if filters.before is not None:
        found.append(columns.finished_at < _moment(filters.before))
    if filters.tags:
        found.append(type_coerce(columns.tags, JSONB).contains(list(filters.tags)))
    if filters.replayed is not None:
        replays = func.coalesce(columns.replays, 0)
        found.append(replays > 0 if filters.replayed else replays == 0)
    return found


def _moment(given: datetime | float) -> ColumnElement[Any]:
    if isinstance(given, datetime):
        return literal(given, _TIME)
    return func.now() - literal(given, Double()) * SECOND
