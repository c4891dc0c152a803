"""Which mapped class plays which part in a metadata.

The register lives in ``MetaData.info``. ``Table.info`` would be rendered into the user's migrations.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any, cast

from sqlalchemy import MetaData, Table

from soniq_sa.errors import ConfigurationError, TablesMissingError
from soniq_sa.models.table_options import TableOptions

if TYPE_CHECKING:
    from soniq_sa.models.mixins import AttemptMixin, JobMixin, ProgressMixin, WorkerMixin

_KEY = "soniq_sa"


class Role(StrEnum):
    """The parts that tables play; the value is the table's name behind the prefix."""

    JOB = "jobs"
    ATTEMPT = "attempts"
    PROGRESS = "progress"
    WORKER = "workers"


@dataclass(slots=True)
class _Register:
    models: dict[Role, type[Any]] = field(default_factory=dict)
    options: TableOptions = field(default_factory=TableOptions)


def register(metadata: MetaData, role: Role, model: type[Any]) -> None:
    """Note that ``model`` plays ``role`` in ``metadata``; refuse a second one."""
    other = _register_of(metadata).models.setdefault(role, model)
    if other.__table__ is not model.__table__:
        raise ConfigurationError(
            f"{model.__name__} and {other.__name__} are both the {role} table of one metadata. "
            "Keep one, or give the other a metadata of its own."
        )


def registered(metadata: MetaData) -> dict[Role, type[Any]]:
    """Return the classes of ``metadata`` by their role."""
    return dict(_register_of(metadata).models)


def options_of(metadata: MetaData) -> TableOptions:
    """Return what the user chose for the tables of ``metadata``, else the defaults."""
    return _register_of(metadata).options


def choose_options(metadata: MetaData, options: TableOptions) -> None:
    """Note what the user chose; refuse to change an earlier choice."""
    noted = _register_of(metadata)
    if TableOptions() != noted.options != options:
        raise ConfigurationError(
            f"include_tables() was called for this metadata before, with {noted.options}; "
            f"now with {options}. Call it once."
        )
    noted.options = options


def _register_of(metadata: MetaData) -> _Register:
    found: _Register | None = metadata.info.get(_KEY)
    if found is None:
        found = metadata.info[_KEY] = _Register()
    return found


class Models:
    """The mapped classes of soniq-sa in one metadata."""

    def __init__(self, metadata: MetaData) -> None:
        """Look the classes up; raise `TablesMissingError` if one is not there."""
        models = registered(metadata)
        if missing := [role for role in Role if role not in models]:
            raise TablesMissingError(
                f"The metadata holds no table for: {', '.join(missing)}. Write "
                "include_tables(Base.metadata) as the last line of the module with your models "
                "(from soniq_sa.models import include_tables), and import that module first."
            )
        self.Job: type[JobMixin] = models[Role.JOB]
        self.Attempt: type[AttemptMixin] = models[Role.ATTEMPT]
        self.Progress: type[ProgressMixin] = models[Role.PROGRESS]
        self.Worker: type[WorkerMixin] = models[Role.WORKER]
        self.options = options_of(metadata)

    @property
    def jobs(self) -> Table:
        """Return the table of the jobs."""
        return _table(self.Job)

    @property
    def attempts(self) -> Table:
        """Return the table of the attempts that did not succeed."""
        return _table(self.Attempt)

    @property
    def progress(self) -> Table:
        """Return the table of what running jobs say of their progress."""
        return _table(self.Progress)

    @property
    def workers(self) -> Table:
        """Return the table of the living workers."""
        return _table(self.Worker)

    @property
    def tables(self) -> list[Table]:
        """Return all tables."""
        return [self.jobs, self.attempts, self.progress, self.workers]


def _table(model: type[Any]) -> Table:
    return cast("Table", model.__table__)
