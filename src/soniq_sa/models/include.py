"""Add the tables that the user did not declare by hand."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import MetaData
from sqlalchemy.orm import registry

from soniq_sa.models.mixins import AttemptMixin, JobMixin, WorkerMixin
from soniq_sa.models.roles import Models, Role, registered

_MIXINS: dict[Role, type[Any]] = {
    Role.JOB: JobMixin,
    Role.ATTEMPT: AttemptMixin,
    Role.WORKER: WorkerMixin,
}


@dataclass(frozen=True, slots=True)
class IncludedTables:
    """The mapped classes that belong to a metadata, for queries and relationships."""

    Job: type[JobMixin]
    Attempt: type[AttemptMixin]
    Worker: type[WorkerMixin]


def include_tables(
    metadata: MetaData, *, schema: str | None = None, prefix: str = "soniq_"
) -> IncludedTables:
    """Add every table of soniq-sa that ``metadata`` does not hold yet.

    Write it as the last line of the module with your models: a class of your own, such as
    ``class Job(JobMixin, Base)``, has to come before, and is then kept. A second call adds nothing.

    metadata: The metadata of your declarative base, ``Base.metadata``.
    schema: The schema of the added tables. Default: that of the metadata.
    prefix: The start of the names of the added tables.

    Returns the mapped classes, also those that were there before.
    """
    base = registry(metadata=metadata).generate_base()
    for role, mixin in _MIXINS.items():
        if role not in registered(metadata):
            name = role.value.removesuffix("s").capitalize()
            arguments = {"schema": schema} if schema is not None else {}
            type(name, (mixin, base), {
                "__module__": __name__,
                "__tablename__": f"{prefix}{role}",
                "__table_args__": arguments,
            })  # fmt: skip
    models = Models(metadata)
    return IncludedTables(models.Job, models.Attempt, models.Worker)
