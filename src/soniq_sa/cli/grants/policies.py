"""Which rows of the job table each role has to do with: row-level security.

Columns alone do not tell the producer's own jobs from those of others. A producer completes what it has
just inserted, within the same transaction: ``created_at`` is the start of the transaction, so that its
own rows are those with ``created_at = now()``. A maintainer inserts replays, which name a dead letter.
The owner of the tables is not bound by policies.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from soniq_sa.cli.grants.roles import GrantRole
from soniq_sa.states import JobState

_OWN = "created_at = pg_catalog.now()"
_FRESH = f"state IN ('{JobState.QUEUED.value}', '{JobState.SCHEDULED.value}')"


@dataclass(frozen=True, slots=True)
class Policy:
    """What rows a command may see (``using``) and leave behind (``check``); None says nothing."""

    command: str
    using: str | None = None
    check: str | None = None


def policies_of(role: GrantRole) -> Sequence[Policy]:
    """Return the policies of ``role`` for the job table."""
    match role:
        case GrantRole.OWNER:
            return ()
        case GrantRole.PRODUCER:
            return (
                Policy("SELECT", using=_OWN),
                Policy("INSERT", check=_FRESH),
                Policy("UPDATE", using=_OWN, check=_FRESH),
            )
        case GrantRole.VIEWER:
            return (Policy("SELECT", using="true"),)
        case GrantRole.WORKER:
            return tuple(Policy(verb, using="true") for verb in ("SELECT", "UPDATE", "DELETE"))
        case GrantRole.MAINTAINER:
            return (
                *(Policy(verb, using="true") for verb in ("SELECT", "UPDATE", "DELETE")),
                Policy("INSERT", check="replay_of IS NOT NULL"),
            )
