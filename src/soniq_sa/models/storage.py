"""The storage parameters of the tables.

The job table is updated at every claim and every end, and none of these updates is heap-only: the
state stands in the predicates of the indexes. So its pages keep room for the next versions of their
rows, which is less to log than a page elsewhere, and it is vacuumed by numbers of rows instead of a
share of the table, however many finished jobs it holds. Vacuum does not give pages back to the system,
because that locks the workers out.

The parameters stand behind ``USING heap``: SQLAlchemy 2.0 has no ``postgresql_with`` for tables, and a
migration that is made with 2.1 must run with 2.0.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from sqlalchemy import Table

from soniq_sa.models.roles import Role
from soniq_sa.models.table_options import Parameter, TableOptions

_DEFAULTS: Mapping[Role, Mapping[str, Parameter]] = {
    Role.JOB: {
        "autovacuum_analyze_scale_factor": 0,
        "autovacuum_analyze_threshold": 10_000,
        "autovacuum_vacuum_insert_scale_factor": 0,
        "autovacuum_vacuum_insert_threshold": 50_000,
        "autovacuum_vacuum_scale_factor": 0,
        "autovacuum_vacuum_threshold": 5_000,
        "fillfactor": 70,
        "vacuum_truncate": False,
    },
    Role.ATTEMPT: {},
    Role.PROGRESS: {"fillfactor": 50},
    Role.WORKER: {"fillfactor": 50},
}
_WORDS = {True: {"true", "on", "yes", "1"}, False: {"false", "off", "no", "0"}}


def set_storage(table: Table, role: Role, old: TableOptions, new: TableOptions) -> None:
    """Give ``table`` the parameters; one with parameters of the user's own keeps those."""
    if not owns_storage(table, role, old):
        return
    given = table.dialect_options["postgresql"]
    clause = _clause(storage_of(role, new))
    if given["using"] != clause:
        given["using"] = clause


def owns_storage(table: Table, role: Role, options: TableOptions) -> bool:
    """Tell whether the parameters of ``table`` are those of soniq-sa."""
    given = table.dialect_options["postgresql"]
    return given["using"] in {None, _clause(storage_of(role, options))} and not given.get("with")


def storage_of(role: Role, options: TableOptions) -> dict[str, Parameter]:
    """Return the parameters of the table that plays ``role``, sorted by name."""
    changes = options.storage if role is Role.JOB else {}
    merged = {**_DEFAULTS[role], **changes}
    return {name: value for name, value in sorted(merged.items()) if value is not None}


def storage_text(parameters: Mapping[str, Parameter]) -> str:
    """Return the parameters as SQL: ``fillfactor = 70, vacuum_truncate = false``."""
    return ", ".join(f"{name} = {_value(value)}" for name, value in parameters.items())


def changed_storage(
    wanted: Mapping[str, Parameter], present: Iterable[str]
) -> tuple[dict[str, Parameter], list[str]]:
    """Return what has to be set, and the names of what has to be reset.

    ``present`` is ``pg_class.reloptions``, as ``fillfactor=70``.
    """
    found = dict(pair.split("=", 1) for pair in present)
    to_set = {
        name: value
        for name, value in wanted.items()
        if name not in found or not _is(value, found[name])
    }
    return to_set, sorted(found.keys() - wanted.keys())


def _clause(parameters: Mapping[str, Parameter]) -> str | None:
    return f"heap WITH ({storage_text(parameters)})" if parameters else None


def _value(value: Parameter) -> str:
    return str(value).lower() if isinstance(value, bool) else repr(value)


def _is(value: Parameter, text: str) -> bool:
    if isinstance(value, bool):
        return text.lower() in _WORDS[value]
    try:
        return float(text) == value
    except ValueError:
        return False
