"""The tables of soniq-sa, for your own metadata and migration history."""

from soniq_sa.models.fk import job_fk
from soniq_sa.models.include import IncludedTables, include_tables
from soniq_sa.models.mixins import AttemptMixin, JobMixin, ProgressMixin, WorkerMixin

__all__ = [
    "AttemptMixin",
    "IncludedTables",
    "JobMixin",
    "ProgressMixin",
    "WorkerMixin",
    "include_tables",
    "job_fk",
]
