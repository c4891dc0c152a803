"""The shop of `tests.process`, on this version of the library or on the next: ``SWITCH`` says which."""

import importlib
import os

from tests.alembic.switch import SWITCH

if os.environ.get(SWITCH):
    importlib.import_module("tests.alembic.slow_next_version")

from soniq_sa.models import include_tables
from tests.process.shop import Base, charge, soniq

__all__ = ["Base", "Job", "charge", "soniq"]

Job = include_tables(Base.metadata, notify="trigger").Job
