"""Add the tables that the user did not declare by hand."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import MetaData
from sqlalchemy.orm import registry

from soniq_sa.errors import OptionError
from soniq_sa.models.mixins import AttemptMixin, JobMixin, ProgressMixin, WorkerMixin
from soniq_sa.models.roles import Models, Role, choose_options, options_of, registered
from soniq_sa.models.storage import set_storage
from soniq_sa.models.table_options import Durability, Notify, Parameter, TableOptions
from soniq_sa.options import is_storable

_MIXINS: dict[Role, type[Any]] = {
    Role.JOB: JobMixin,
    Role.ATTEMPT: AttemptMixin,
    Role.PROGRESS: ProgressMixin,
    Role.WORKER: WorkerMixin,
}
_LONGEST_PREFIX = 40
_LONGEST_SCHEMA = 63


@dataclass(frozen=True, slots=True)
class IncludedTables:
    """The mapped classes that belong to a metadata, for queries and relationships.

    Job: One row a job.
    Attempt: One row for each attempt that did not succeed.
    Progress: One row for each job whose handler says how far it is.
    Worker: One row for each living worker.
    """

    Job: type[JobMixin]
    Attempt: type[AttemptMixin]
    Progress: type[ProgressMixin]
    Worker: type[WorkerMixin]


def include_tables(
    metadata: MetaData,
    *,
    schema: str | None = None,
    prefix: str = "soniq_",
    notify: Notify = "after_commit",
    durability: Durability = "durable",
    storage: Mapping[str, Parameter | None] | None = None,
) -> IncludedTables:
    """Add every table of soniq-sa that ``metadata`` does not hold yet.

    Write it as the last line of the module with your models: a class of your own, such as
    ``class Job(JobMixin, Base)``, has to come before, and is then kept. A second call adds nothing.

    metadata: The metadata of your declarative base, ``Base.metadata``.
    schema: The schema of the added tables. Default: that of the metadata.
    prefix: The start of the names of the added tables, 40 characters at most. Default ``"soniq_"``.
    notify: Who wakes the workers. ``"after_commit"`` (the default): the process that enqueued, once
        its transaction is committed. ``"trigger"``: a trigger of the job table, which also sees jobs
        from psql, COPY and other languages; the commits of all who enqueue are then serialised.
    durability: ``"durable"`` (the default), or ``"volatile"``: the jobs are not in the write-ahead
        log, and are lost if the server crashes (``UNLOGGED``).
    storage: Storage parameters of the job table, as ``{"fillfactor": 90}``, beside the defaults;
        None leaves a parameter to the server. A class with ``postgresql_with`` or ``postgresql_using``
        in its ``__table_args__`` keeps those alone.

    ``notify``, ``durability`` and ``storage`` hold for all tables of the metadata, also those declared
    by hand. `alembic revision --autogenerate` sees a change of them through the plugin ``soniq_sa``.

    Returns the mapped classes, also those that were there before. Raises `OptionError` and
    `UnknownOptionError` for an option that cannot be, and `ConfigurationError` if an earlier call
    said otherwise.
    """
    _check_name("prefix", prefix, _LONGEST_PREFIX)
    if schema is not None:
        _check_name("schema", schema, _LONGEST_SCHEMA)
    options = TableOptions(notify, durability, storage or {})
    before = options_of(metadata)
    if options != TableOptions():
        choose_options(metadata, options)
    _add_tables(metadata, schema, prefix)
    models = Models(metadata)
    for role, model in registered(metadata).items():
        set_storage(model.__table__, role, before, models.options)
    return IncludedTables(models.Job, models.Attempt, models.Progress, models.Worker)


def _add_tables(metadata: MetaData, schema: str | None, prefix: str) -> None:
    base = registry(metadata=metadata).generate_base()
    for role, mixin in _MIXINS.items():
        if role not in registered(metadata):
            name = mixin.__name__.removesuffix("Mixin")
            arguments = {"schema": schema} if schema is not None else {}
            type(name, (mixin, base), {
                "__module__": __name__,
                "__tablename__": f"{prefix}{role}",
                "__table_args__": arguments,
            })  # fmt: skip


def _check_name(option: str, name: str, longest: int) -> None:
    """Refuse what PostgreSQL would cut, or not take; anything else is quoted wherever it stands."""
    size = len(name.encode(errors="replace"))
    if size > longest:
        raise OptionError(
            f"{option}={name!r} has {size} bytes, and may have {longest}: "
            "PostgreSQL cuts names, also those of indexes, after 63."
        )
    if not is_storable(name) or (option == "schema" and not name):
        raise OptionError(f"{option}={name!r} is no name that PostgreSQL takes.")
