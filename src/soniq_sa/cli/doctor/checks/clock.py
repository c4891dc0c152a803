"""Whether this machine and the database agree on the time."""

from __future__ import annotations

import time
from collections.abc import Iterable

from soniq_sa.cli.doctor.check import DoctorCheck
from soniq_sa.cli.doctor.finding import Finding, ok, warning
from soniq_sa.cli.doctor.patient import Patient
from soniq_sa.statements.dead import database_time

_LARGEST = 2.0
_TRIES = 3


async def examine(patient: Patient) -> Iterable[Finding]:
    """Take the quickest of some answers: what it took is how exact it is."""
    skew, _ = min([await _look(patient) for _ in range(_TRIES)], key=lambda one: one[1])
    if abs(skew) < _LARGEST:
        return [ok(f"this machine and the database differ by {abs(skew):.2f} s")]
    side = "behind" if skew > 0 else "ahead of"
    return [
        warning(
            f"the clock of this machine is {abs(skew):.1f} s {side} the database's",
            "Jobs are due, and leases end, by the database's clock: a run_at that is computed here "
            "is off by as much. Synchronize the clocks (NTP).",
        )
    ]


async def _look(patient: Patient) -> tuple[float, float]:
    began = time.time()
    (row,) = await patient.link.execute(database_time())
    ended = time.time()
    return row[0].timestamp() - (began + ended) / 2, ended - began


CLOCK = DoctorCheck("clock", examine)
