"""What the connections of a worker set for themselves, whatever the server, database or role says."""

from __future__ import annotations

from sqlalchemy import Select, Text, bindparam, column, func, select, values

_PLANS = {
    "plan_cache_mode": "force_generic_plan",
    "enable_sort": "off",
    "enable_seqscan": "off",
    "enable_hashjoin": "off",
    "enable_mergejoin": "off",
    "jit_above_cost": "-1",
}
"""Plan each statement once, never sort a backlog that an index holds in order, and never read a table
as a whole: a worker plans while the table is empty, and keeps the plan. A plan that has to do what is
off counts as very expensive, and would be compiled each time: so no JIT. (Not by ``jit``, which asyncpg
changes for a moment, and would then leave off for whoever comes next behind a pooler.)"""

_LIMITS = {
    "default_transaction_isolation": "read committed",
    "default_transaction_read_only": "off",
    "lock_timeout": "0",
    "idle_in_transaction_session_timeout": "0",
    "idle_session_timeout": "0",
    "transaction_timeout": "0",
}
"""What a role may be given for the sessions of an application. The worker's own statements are short,
have deadlines of their own, and must see what others have committed meanwhile."""


def own_settings(
    *, duration: float, lock_wait: float | None, durable: bool, local: bool
) -> Select[str]:
    """Set all this: for the transaction with ``local``, else for the session of the backend ``pid``.

    duration: After so many seconds PostgreSQL ends a statement. lock_wait: After so many behind a lock;
    None: not before. durable: Leave as it is how long a
    commit waits; else it does not. Returns rows, or none if the backend is another one: a pooler,
    which would lend the settings to others. What this version of PostgreSQL does not know is left out.
    """
    wanted = {**_PLANS, **_LIMITS, "statement_timeout": f"{duration * 1000:.0f}"}
    if lock_wait is not None:
        wanted["lock_timeout"] = f"{lock_wait * 1000:.0f}"
    if not durable:
        wanted["synchronous_commit"] = "off"
    setting = values(
        column("name", Text()), column("value", Text()), name="setting", literal_binds=True
    ).data(list(wanted.items()))
    known = func.current_setting(setting.c.name, True).is_not(None)  # noqa: FBT003 - SQL has no names here
    statement = select(func.set_config(setting.c.name, setting.c.value, local)).where(known)
    return statement if local else statement.where(func.pg_backend_pid() == bindparam("pid"))
