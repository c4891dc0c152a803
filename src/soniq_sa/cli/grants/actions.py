"""What can be done with the job tables, and which roles may: the promise that the privileges keep.

`tests/security` does each action as each role; ``docs/security.md`` shows the same table.
"""

from __future__ import annotations

from collections.abc import Mapping

from soniq_sa.cli.grants.roles import GrantRole

OWNER, PRODUCER, WORKER, VIEWER, MAINTAINER = GrantRole

ACTIONS: Mapping[str, frozenset[GrantRole]] = {
    "enqueue a job": frozenset({OWNER, PRODUCER}),
    "enqueue a job with a delay": frozenset({OWNER, PRODUCER}),
    "enqueue a job for an entity without a key yet": frozenset({OWNER, PRODUCER}),
    "enqueue many jobs": frozenset({OWNER, PRODUCER}),
    "read the state of a job": frozenset({OWNER, WORKER, VIEWER, MAINTAINER}),
    "list and count jobs": frozenset({OWNER, WORKER, VIEWER, MAINTAINER}),
    "read arguments, headers, results and errors": frozenset({OWNER, WORKER, MAINTAINER}),
    "change the arguments of a job": frozenset({OWNER}),
    "claim, run and finish jobs": frozenset({OWNER, WORKER}),
    "take over from dead workers": frozenset({OWNER, WORKER}),
    "cancel a job": frozenset({OWNER, MAINTAINER}),
    "reschedule a job": frozenset({OWNER, MAINTAINER}),
    "replay a dead letter": frozenset({OWNER, MAINTAINER}),
    "tag a dead letter": frozenset({OWNER, MAINTAINER}),
    "delete jobs": frozenset({OWNER, WORKER, MAINTAINER}),
    "truncate a table": frozenset({OWNER}),
    "create and drop tables": frozenset({OWNER}),
    "LISTEN and NOTIFY": frozenset(GrantRole),
}
"""By action: who may. PostgreSQL has no privilege for LISTEN and NOTIFY."""
