"""Whether wake-ups arrive, and whether a pooler stands in between."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable
from uuid import uuid4

import asyncpg

from soniq_sa.cli.doctor.check import DoctorCheck
from soniq_sa.cli.doctor.finding import Finding, note, ok, problem, warning
from soniq_sa.cli.doctor.patient import Patient
from soniq_sa.link import DatabaseAway, Link, describe
from soniq_sa.statements.doctor.server import backend
from soniq_sa.statements.enqueue import notify

_PATIENCE = 3.0
"""Seconds for a notification to arrive."""

_DIRECT = (
    "Set SONIQ_SA_LISTEN_URL to a direct connection to the server. Without one, a job starts up to a "
    "poll interval late, and a killed worker is noticed when its lease ends."
)


async def examine_pooler(patient: Patient) -> Iterable[Finding]:
    """Compare the backend that answers with the one that the connection was made to."""
    pooled = await _is_pooled(patient.link)
    try:
        listen_pooled = await _is_pooled(patient.listen_link)
    except DatabaseAway:
        where = "a pooler stands before the server" if pooled else "connections are direct"
        return [note(f"{where}, but for LISTEN: there is no such connection", "See below.")]
    if listen_pooled:
        what = "a pooler stands before the server, also on the connection for LISTEN"
        return [warning(what, _DIRECT)]
    if pooled:
        return [note("a pooler stands before the server; LISTEN and the lock go around it")]
    return [ok("connections are direct")]


async def _is_pooled(link: Link) -> bool:
    driver = await link.driver()
    (row,) = await link.execute(backend())
    return bool(row.pid != driver.get_server_pid())


async def examine_listen(patient: Patient) -> Iterable[Finding]:
    """Send a notification as a producer does, and wait for it as a worker does."""
    heard = asyncio.Event()
    channel = f"soniq_sa:doctor:{uuid4().hex}"
    try:
        driver = await patient.listen_link.driver()
    except DatabaseAway as error:
        return [_unreachable(patient, error)]
    try:
        async with asyncio.timeout(_PATIENCE):
            await driver.add_listener(channel, lambda *_: heard.set())
            began = time.monotonic()
            await patient.link.execute(notify(channel, ""))
            await heard.wait()
    except TimeoutError:
        what = f"a notification did not arrive within {_PATIENCE:g} s"
        return [warning(what, _DIRECT)]
    except (asyncpg.PostgresError, asyncpg.InterfaceError, DatabaseAway) as error:
        return [warning(f"LISTEN or NOTIFY failed: {describe(error)}", _DIRECT)]
    return [ok(f"a notification arrived after {(time.monotonic() - began) * 1000:.0f} ms")]


def _unreachable(patient: Patient, error: DatabaseAway) -> Finding:
    """Return that there is no connection for LISTEN, over which the worker renews its lease as well."""
    if patient.settings.listen_url is None:
        return problem(
            f"no further connection for LISTEN: {error}",
            "See to that; no worker starts without one.",
        )
    return problem(
        f"{patient.listen_url}, which SONIQ_SA_LISTEN_URL names, does not answer: {error}. Workers wait for "
        "it, and start no job",
        "Correct SONIQ_SA_LISTEN_URL; or unset it, if no pooler stands before the database.",
    )


POOLER = DoctorCheck("pooler", examine_pooler)
LISTEN = DoctorCheck("listen", examine_listen)
