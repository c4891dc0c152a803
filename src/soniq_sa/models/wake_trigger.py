"""The trigger that wakes workers, for jobs that are not enqueued by this library.

It fires once a statement, so a plain INSERT, ``INSERT ... SELECT`` and COPY each send one
notification. PostgreSQL serialises the commits of transactions that have one: the default is to send
it after the commit, by the process that enqueued.

Its text is compared with that of the database, whitespace aside: a change here is a difference that
``alembic revision --autogenerate`` finds.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Table

from soniq_sa.models.channel import DUE_HINT, MAX_PAYLOAD, channel_of
from soniq_sa.models.sql_names import dollar_quoted, qualified, quoted
from soniq_sa.states import JobState

FUNCTION_MARK = "soniq_sa wakes the workers"
"""Stands in the function's body: how it is known when its table is no longer in the metadata."""

_BODY = """
-- {mark}
DECLARE
  payload text;
BEGIN
  SELECT string_agg(DISTINCT CASE state WHEN '{queued}' THEN queue ELSE '{due}' END, ',')
    INTO payload FROM inserted WHERE state IN ('{queued}', '{scheduled}');
  IF payload IS NOT NULL THEN
    PERFORM pg_catalog.pg_notify(
      '{channel}', CASE WHEN octet_length(payload) <= {most} THEN payload ELSE '' END);
  END IF;
  RETURN NULL;
END
"""


@dataclass(frozen=True, slots=True)
class WakeTrigger:
    """The trigger of a job table, and its function of the same name, as SQL."""

    schema: str | None
    table: str
    body: str

    @classmethod
    def of(cls, jobs: Table, schema: str | None) -> WakeTrigger:
        """Return the trigger of ``jobs``, which is in ``schema`` of the database."""
        body = _BODY.format(
            mark=FUNCTION_MARK,
            queued=JobState.QUEUED.value,
            scheduled=JobState.SCHEDULED.value,
            due=DUE_HINT,
            channel=channel_of(jobs).replace("'", "''"),
            most=MAX_PAYLOAD,
        )
        return cls(schema, jobs.name, body)

    @property
    def name(self) -> str:
        """Return the name of the trigger and of its function."""
        return f"{self.table}_wake"

    @property
    def create_function(self) -> str:
        """Return the statement that makes the function, or replaces it."""
        return (
            f"CREATE OR REPLACE FUNCTION {self._function}() RETURNS trigger "
            f"LANGUAGE plpgsql AS {dollar_quoted(self.body)}"
        )

    @property
    def create_trigger(self) -> str:
        """Return the statement that makes the trigger."""
        return (
            f"CREATE TRIGGER {quoted(self.name)} AFTER INSERT ON {self._table} "
            "REFERENCING NEW TABLE AS inserted FOR EACH STATEMENT "
            f"EXECUTE FUNCTION {self._function}()"
        )

    @property
    def drop_trigger(self) -> str:
        """Return the statement that drops the trigger."""
        return f"DROP TRIGGER IF EXISTS {quoted(self.name)} ON {self._table}"

    @property
    def drop_function(self) -> str:
        """Return the statement that drops the function."""
        return f"DROP FUNCTION IF EXISTS {self._function}()"

    @property
    def _function(self) -> str:
        return qualified(self.name, self.schema)

    @property
    def _table(self) -> str:
        return qualified(self.table, self.schema)
