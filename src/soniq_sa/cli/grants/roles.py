"""The database roles, what each is for, and how they are named."""

from __future__ import annotations

from enum import StrEnum

from soniq_sa.errors import OptionError
from soniq_sa.options import is_storable

DEFAULT_START = "soniq"
_LONGEST_START = 40


class GrantRole(StrEnum):
    """What somebody may do with the job tables."""

    OWNER = "owner"
    PRODUCER = "producer"
    WORKER = "worker"
    VIEWER = "viewer"
    MAINTAINER = "maintainer"


PURPOSES = {
    GrantRole.OWNER: "owns the tables: migrations",
    GrantRole.PRODUCER: "enqueues jobs, and sees none but those of its own transaction",
    GrantRole.WORKER: "runs jobs; with producer as well where handlers enqueue",
    GrantRole.VIEWER: "sees how jobs are, without arguments, results, headers and errors",
    GrantRole.MAINTAINER: "cancels, reschedules, replays and deletes jobs",
}


def role_name(start: str, role: GrantRole) -> str:
    """Return the name of a role in the database."""
    return f"{start}_{role}"


def check_start(start: str) -> str:
    """Return ``start`` if the names of roles and policies may start with it."""
    size = len(start.encode(errors="replace"))
    if not start or size > _LONGEST_START or not is_storable(start):
        raise OptionError(
            f"--role-prefix {start!r}: it takes 1 to {_LONGEST_START} bytes without U+0000. PostgreSQL "
            "cuts names after 63, and the names of the row policies continue it."
        )
    if start.startswith("pg_"):
        raise OptionError(
            f"--role-prefix {start!r}: PostgreSQL keeps names that start with 'pg_' to itself."
        )
    return start
