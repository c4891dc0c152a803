"""What the beats of a worker find out."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID


@dataclass(frozen=True, slots=True)
class Look:
    """What there was to do when a beat looked; see `soniq_sa.statements.look`."""

    left: float | None
    queues: frozenset[str]
    suspects: bool
    owned: bool
    orphans: bool
    prunable: bool


@dataclass(frozen=True, slots=True)
class Beat:
    """What one beat found out; ``look`` is None if it did not look.

    worker_id: Who the worker is: somebody else than before, if the others took it for dead.
    """

    worker_id: UUID
    peers: int
    direct: bool
    number: int
    look: Look | None = None
