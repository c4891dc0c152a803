"""A foreign key from a table of the user to the job row."""

from __future__ import annotations

from typing import Any, Literal

from sqlalchemy import ForeignKey


def job_fk(
    column: Any = "soniq_jobs.id",
    *,
    ondelete: Literal["SET NULL", "CASCADE", "RESTRICT", "NO ACTION"] = "SET NULL",
    name: str | None = None,
) -> ForeignKey:
    """Return a foreign key to the job table that is checked at commit.

    The unit of work inserts rows of unrelated mappers in the order of their class names, so a plain
    foreign key may be checked before the job is inserted; this one is deferred. It also allows a row
    and a job that refer to each other.

    column: The id of the job: a column, ``Job.id``, or its name. Default ``"soniq_jobs.id"``.
    ondelete: What happens to the row when the job is deleted. Default ``"SET NULL"``.
    name: The name of the constraint. Default: by the metadata's naming convention. Without either,
        Alembic can add the key to a table, and cannot drop it again.

    Example::

        class Report(Base):
            job_id: Mapped[uuid.UUID | None] = mapped_column(job_fk())
    """
    return ForeignKey(column, ondelete=ondelete, name=name, deferrable=True, initially="DEFERRED")
