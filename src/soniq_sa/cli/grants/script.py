"""The SQL that makes the roles and gives them what they need; it may be run again at any time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from sqlalchemy import Table

from soniq_sa.cli.grants.policies import Policy, policies_of
from soniq_sa.cli.grants.privileges import privileges_of
from soniq_sa.cli.grants.roles import PURPOSES, GrantRole, role_name
from soniq_sa.lines import one_line
from soniq_sa.models.roles import Models
from soniq_sa.models.sql_names import dollar_quoted, qualified, quoted
from soniq_sa.models.wake_trigger import WakeTrigger

_DEFAULT_SCHEMA = "public"


@dataclass(frozen=True, slots=True)
class Script:
    """The statements for some roles.

    start: The start of the names of the roles. shown: The columns of the user that the viewer sees.
    """

    models: Models
    start: str
    shown: tuple[str, ...] = ()

    def statements(self, roles: Iterable[GrantRole]) -> list[str]:
        """Return the statements, in their order, without the transaction around them."""
        wanted = [role for role in GrantRole if role in set(roles)]
        found = [self._create(role) for role in wanted]
        found += self._close()
        for role in wanted:
            found += self._granting(role)
        if GrantRole.OWNER in wanted:  # last: whoever runs this need not be a member of it
            found += self._owning(GrantRole.OWNER)
        return found

    def written(self, roles: Iterable[GrantRole]) -> str:
        """Return the script, as psql reads it."""
        wanted = [role for role in GrantRole if role in set(roles)]
        head = [one_line(f"-- {self._name(role)}: {PURPOSES[role]}") for role in wanted]
        lines = [f"{one};" for one in ["BEGIN", *self.statements(wanted), "COMMIT"]]
        return "\n".join([*head, "", *lines])

    def _name(self, role: GrantRole) -> str:
        return quoted(role_name(self.start, role))

    def _create(self, role: GrantRole) -> str:
        name = role_name(self.start, role)
        literal = name.replace("'", "''")
        body = (
            f"BEGIN IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = '{literal}') "
            f"THEN CREATE ROLE {quoted(name)} NOLOGIN; END IF; END"
        )
        return f"DO {dollar_quoted(f' {body} ')}"

    def _close(self) -> Iterator[str]:
        """Yield what holds for everybody: no rights by default, and rows by the policies."""
        for table in self.models.tables:
            yield f"REVOKE ALL ON TABLE {_table(table)} FROM PUBLIC"
        yield f"ALTER TABLE {_table(self.models.jobs)} ENABLE ROW LEVEL SECURITY"

    def _owning(self, role: GrantRole) -> Iterator[str]:
        for schema in self._schemas:
            yield f"GRANT USAGE, CREATE ON SCHEMA {quoted(schema)} TO {self._name(role)}"
        for table in self.models.tables:
            yield f"ALTER TABLE {_table(table)} OWNER TO {self._name(role)}"
        if self.models.options.notify == "trigger":
            jobs = self.models.jobs
            function = qualified(WakeTrigger.of(jobs, jobs.schema).name, jobs.schema)
            yield f"ALTER FUNCTION {function}() OWNER TO {self._name(role)}"

    def _granting(self, role: GrantRole) -> Iterator[str]:
        name, privileges = self._name(role), privileges_of(role, self.models, self.shown)
        others = {one.table for one in privileges} - set(self.models.tables)
        for schema in self._schemas:
            yield f"GRANT USAGE ON SCHEMA {quoted(schema)} TO {name}"
        for table in self.models.tables if role is not GrantRole.OWNER else ():
            yield f"REVOKE ALL ON TABLE {_table(table)} FROM {name}"
        for schema in sorted({one.schema or _DEFAULT_SCHEMA for one in others}):
            if schema not in self._schemas:
                yield f"GRANT USAGE ON SCHEMA {quoted(schema)} TO {name}"
        for (table, columns), same in groupby(privileges, lambda one: (one.table, one.columns)):
            yield _grant(", ".join(one.verb for one in same), table, columns, name)
        for policy in policies_of(role):
            yield from self._policy(role, policy)

    def _policy(self, role: GrantRole, policy: Policy) -> Iterator[str]:
        table = _table(self.models.jobs)
        name = quoted(f"{role_name(self.start, role)}_{policy.command.lower()}")
        yield f"DROP POLICY IF EXISTS {name} ON {table}"
        using = f" USING ({policy.using})" if policy.using else ""
        check = f" WITH CHECK ({policy.check})" if policy.check else ""
        yield (
            f"CREATE POLICY {name} ON {table} FOR {policy.command} TO {self._name(role)}{using}{check}"
        )

    @property
    def _schemas(self) -> Sequence[str]:
        return sorted({table.schema or _DEFAULT_SCHEMA for table in self.models.tables})


def _grant(verbs: str, table: Table, columns: Sequence[str], role: str) -> str:
    named = f" ({', '.join(map(quoted, columns))})" if columns else ""
    return f"GRANT {verbs}{named} ON TABLE {_table(table)} TO {role}"


def _table(table: Table) -> str:
    return qualified(table.name, table.schema)
