"""The application of our workers: ``--app tests.faults.figures.scripts.app:soniq``."""

from __future__ import annotations

from typing import Any

from sqlalchemy.orm import DeclarativeBase

from soniq_sa import Soniq
from soniq_sa.events import Event, WorkerStarted
from soniq_sa.models import include_tables
from tests.faults.figures.diary import note
from tests.faults.figures.scripts.handlers import HANDLERS


class Base(DeclarativeBase):
    """The base of the tables."""


include_tables(Base.metadata)
soniq = Soniq(Base.metadata)
TASKS: dict[str, Any] = {name: soniq.job(name=name)(handler) for name, handler in HANDLERS.items()}


@soniq.events.subscribe
def tell_ready(event: Event) -> None:
    if isinstance(event, WorkerStarted):
        note("ready")
