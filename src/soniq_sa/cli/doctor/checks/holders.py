"""What keeps VACUUM from removing dead rows: transactions, prepared ones, replication slots."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import Row

from soniq_sa.cli.doctor.ages import age_text
from soniq_sa.cli.doctor.check import asking
from soniq_sa.cli.doctor.finding import Finding, note, ok, problem, warning
from soniq_sa.cli.doctor.patient import Patient
from soniq_sa.cli.output import counted
from soniq_sa.statements.doctor.server import holders, idle_slots, prepared_transactions

_LONG, _TOO_LONG = 600.0, 3600.0
"""Seconds after which an open transaction is a warning, and a problem."""


def judge_transactions(_patient: Patient, rows: Sequence[Row[Any]]) -> Iterable[Finding]:
    """Look at the oldest transaction: rows that have died since are kept, and claims walk them."""
    (oldest,) = rows
    yield _oldest(oldest)
    if oldest.hidden:
        yield note(
            f"{counted(oldest.hidden, 'session')} of other roles cannot be seen",
            "GRANT pg_read_all_stats TO this role, or run the doctor as another one.",
        )


def _oldest(oldest: Row[Any]) -> Finding:
    if oldest.pid is None or oldest.age < 1:
        return ok("no transaction is open for long")
    who = f"process {oldest.pid}{f' ({oldest.name})' if oldest.name else ''}, {oldest.state}"
    what = f"the oldest transaction is {age_text(oldest.age)} old: {who}"
    remedy = (
        "Dead rows are kept until it ends, and slow down claims. End it: SELECT "
        f"pg_terminate_backend({oldest.pid}). Against the next one: idle_in_transaction_session_timeout."
    )
    if oldest.age < _LONG:
        return ok(what)
    return problem(what, remedy) if oldest.age >= _TOO_LONG else warning(what, remedy)


def judge_prepared(_patient: Patient, rows: Sequence[Row[Any]]) -> Iterable[Finding]:
    """Look at the transactions that wait for their second phase, which survive a restart."""
    old = [row for row in rows if row.age >= _LONG]
    if not old:
        text = counted(len(rows), "prepared transaction is", "prepared transactions are")
        yield ok(f"{text} open" if rows else "none is open")
    for row in old:
        yield warning(
            f"the transaction {row.gid!r} of {row.owner} has been prepared for {age_text(row.age)}",
            "It keeps dead rows, and its locks. Find its coordinator, or ROLLBACK PREPARED it.",
        )


def judge_slots(_patient: Patient, rows: Sequence[Row[Any]]) -> Iterable[Finding]:
    """Look at the slots that nobody reads."""
    if not rows:
        yield ok("no replication slot is left unread")
    for row in rows:
        what = f"nobody reads the replication slot {row.name!r}"
        remedy = "Start its subscriber, or SELECT pg_drop_replication_slot(…)."
        if row.holds:
            yield warning(f"{what}, which keeps dead rows and the write-ahead log", remedy)
        else:
            yield note(f"{what}, which keeps the write-ahead log", remedy)


TRANSACTIONS = asking("transactions", lambda _: holders(), judge_transactions, needs="server")
PREPARED = asking("prepared", lambda _: prepared_transactions(), judge_prepared, needs="server")
SLOTS = asking("slots", lambda _: idle_slots(), judge_slots, needs="server")
