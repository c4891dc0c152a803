"""Deleting jobs, with what our other tables keep of them."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Select, any_, delete, func, select
from sqlalchemy.sql.elements import ColumnElement

from soniq_sa.models.roles import Models


def remove_jobs(models: Models, *which: ColumnElement[bool], traces_from: int = 0) -> Select[Any]:
    """Delete jobs, their attempts and their progress. Returns the ids of the deleted jobs.

    traces_from: Jobs that were claimed less often have left nothing in the other tables, which are
        not even asked then. Default 0: all may have.
    """
    jobs = models.jobs
    gone = delete(jobs).where(*which).returning(jobs.c.id, jobs.c.claims).cte("gone")
    traced = func.array(select(gone.c.id).where(gone.c.claims >= traces_from).scalar_subquery())
    others = [
        delete(table).where(table.c.job_id == any_(traced)).cte(f"{name}_gone")
        for name, table in (("attempts", models.attempts), ("progress", models.progress))
    ]
    return select(gone.c.id).add_cte(*others)
