"""What running jobs say of their progress."""

from __future__ import annotations

from sqlalchemy import Double, Integer, Text, Uuid, and_, any_, func, select
from sqlalchemy.dialects.postgresql import Insert, insert

from soniq_sa.models.roles import Models
from soniq_sa.statements.rows import array, rows


def write_progress(models: Models) -> Insert:
    """Note how far some jobs are. Parameters are arrays: ids, claim_numbers, owners, done, total, notes.

    Fenced by the claim, not by the end of the job: what was said last may arrive after it. An earlier
    run of a job never overwrites what a later one said.
    """
    jobs, progress = models.jobs, models.progress
    said = rows(
        "said",
        ids=Uuid(),
        claim_numbers=Integer(),
        owners=Uuid(),
        done=Double(),
        total=Double(),
        notes=Text(),
    )
    held = and_(
        jobs.c.id == any_(array("ids", Uuid())),
        jobs.c.id == said.c.ids,
        jobs.c.claims == said.c.claim_numbers,
        jobs.c.worker_id == said.c.owners,
    )
    values = {
        "job_id": said.c.ids,
        "claim": said.c.claim_numbers,
        "done": said.c.done,
        "total": said.c.total,
        "note": said.c.notes,
        "updated_at": func.clock_timestamp(),
    }
    found = select(*values.values()).select_from(said).join(jobs, held)
    statement = insert(progress).from_select(list(values), found)
    changed = {name: statement.excluded[name] for name in values if name != "job_id"}
    return statement.on_conflict_do_update(
        index_elements=["job_id"],
        set_=changed,
        where=progress.c.claim <= statement.excluded.claim,
    )
