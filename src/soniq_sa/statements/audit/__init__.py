"""What the tables must show of every job, one file a check.

To add one: write a file like the others, and name its check here.
"""

from __future__ import annotations

from soniq_sa.statements.audit.attempts import ATTEMPTS
from soniq_sa.statements.audit.cancels import CANCELS
from soniq_sa.statements.audit.claims import CLAIMS
from soniq_sa.statements.audit.counts import COUNTS
from soniq_sa.statements.audit.due import DUE
from soniq_sa.statements.audit.early import EARLY
from soniq_sa.statements.audit.ends import ENDS
from soniq_sa.statements.audit.kept import KEPT
from soniq_sa.statements.audit.leftovers import LEFTOVERS
from soniq_sa.statements.audit.orphans import ORPHANS
from soniq_sa.statements.audit.outcomes import OUTCOMES
from soniq_sa.statements.audit.overlaps import OVERLAPS
from soniq_sa.statements.audit.records import RECORDS
from soniq_sa.statements.audit.replays import REPLAYS
from soniq_sa.statements.audit.stuck import STUCK
from soniq_sa.statements.audit.times import TIMES
from soniq_sa.statements.audit.waiting import WAITING

CHECKS = (
    ENDS,
    CLAIMS,
    STUCK,
    ORPHANS,
    OVERLAPS,
    COUNTS,
    ATTEMPTS,
    OUTCOMES,
    RECORDS,
    TIMES,
    CANCELS,
    REPLAYS,
    EARLY,
    DUE,
    WAITING,
    KEPT,
    LEFTOVERS,
)
"""The violations first; in this order they are looked for, and shown."""
