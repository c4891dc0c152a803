"""Which jobs are looked at, if that can be."""

from __future__ import annotations

from datetime import UTC, datetime

from soniq_sa.dead_filter import check_moment
from soniq_sa.errors import OptionError
from soniq_sa.options import Seconds, check_seconds
from soniq_sa.statements.audit.check import Scope


def checked_scope(queue: str | None, since: datetime | Seconds | None, patience: Seconds) -> Scope:
    """Return what is looked at; raise `OptionError` for times that cannot be.

    since: An aware datetime, or an age. Without a job that is so young an audit would find nothing wrong
    whatever is wrong, so it must not lie in the future. patience: Seconds, or a timedelta.
    """
    moment = None if since is None else check_moment("since", since)
    if isinstance(moment, datetime) and moment > datetime.now(UTC):
        raise OptionError(
            f"The option 'since' is {moment.isoformat()}, which is in the future: no job would be looked at."
        )
    return Scope(queue=queue, since=moment, patience=check_seconds("patience", patience))
