"""What the doctor looks at, one file a topic.

To add a check: write it as the others are, and name it here.
"""

from __future__ import annotations

from soniq_sa.cli.doctor.checks.backlog import BACKLOG, DEAD_LETTERS
from soniq_sa.cli.doctor.checks.clock import CLOCK
from soniq_sa.cli.doctor.checks.connections import CONNECTIONS
from soniq_sa.cli.doctor.checks.durability import DURABILITY
from soniq_sa.cli.doctor.checks.holders import PREPARED, SLOTS, TRANSACTIONS
from soniq_sa.cli.doctor.checks.indexes import INDEXES
from soniq_sa.cli.doctor.checks.listen import LISTEN, POOLER
from soniq_sa.cli.doctor.checks.mode import MODE
from soniq_sa.cli.doctor.checks.pool import POOL
from soniq_sa.cli.doctor.checks.rights import RIGHTS
from soniq_sa.cli.doctor.checks.tables import TABLES
from soniq_sa.cli.doctor.checks.timeouts import TIMEOUTS
from soniq_sa.cli.doctor.checks.vacuum import AUTOVACUUM, DEAD_ROWS
from soniq_sa.cli.doctor.checks.versions import VERSIONS
from soniq_sa.cli.doctor.checks.waiting import QUEUES, TASKS
from soniq_sa.cli.doctor.checks.workers import WORKERS

CHECKS = (
    MODE,
    VERSIONS,
    TABLES,
    RIGHTS,
    POOLER,
    LISTEN,
    CLOCK,
    POOL,
    CONNECTIONS,
    TIMEOUTS,
    DURABILITY,
    AUTOVACUUM,
    DEAD_ROWS,
    INDEXES,
    TRANSACTIONS,
    PREPARED,
    SLOTS,
    WORKERS,
    TASKS,
    QUEUES,
    BACKLOG,
    DEAD_LETTERS,
)
"""In this order they are looked at, and shown; those behind `TABLES` may need the tables."""
