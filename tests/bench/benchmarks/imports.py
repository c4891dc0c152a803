"""What soniq-sa adds to the start of a program that imports SQLAlchemy anyway, in fresh interpreters.

``import soniq_sa`` loads each name when it is first asked for, so both are measured: the import alone,
and every name, on top of the parts of SQLAlchemy that an application on PostgreSQL loads anyway.
"""

from __future__ import annotations

import os
import subprocess
import sys
from tempfile import TemporaryDirectory

from tests.bench.child import ROOT
from tests.bench.plan import Plan
from tests.bench.results import Figures, Measure, Results, Target

NAME = "imports"
ONCE_A_RUN = 3

_BASE = "sqlalchemy"
_USED = "sqlalchemy as applications use it"
_BARE = "sqlalchemy, soniq_sa"
_EVERY = "that, and every name of soniq_sa"
_ADDED, _ADDED_ALL = "added by soniq_sa", "added by every name"
_AS_USED = (
    "import sqlalchemy, sqlalchemy.orm, sqlalchemy.ext.asyncio, sqlalchemy.dialects.postgresql"
)
_IMPORTS = {
    _BASE: "import sqlalchemy",
    _BARE: "import sqlalchemy, soniq_sa",
    _USED: _AS_USED,
    _EVERY: f"{_AS_USED}\nfrom soniq_sa import *\nfrom soniq_sa.models import *",
}
_PROGRAM = """
import time
wall, cpu = time.perf_counter(), time.process_time()
{statement}
print(time.perf_counter() - wall, time.process_time() - cpu)
"""


def measure(plan: Plan) -> Results:
    """Import in fresh interpreters, three times a run."""
    title = f"import, {plan.runs * ONCE_A_RUN} fresh interpreters each"
    results = Results(NAME, title, _MEASURES, _TARGETS, _NOTES)
    with TemporaryDirectory(prefix="soniq-bench-") as bytecode:
        _import(_IMPORTS[_EVERY], bytecode)  # compiles
        for name in plan.interleave(NAME, tuple(_IMPORTS), runs=ONCE_A_RUN * plan.runs):
            results.add(name, _import(_IMPORTS[name], bytecode))
    for added, more, less in ((_ADDED, _BARE, _BASE), (_ADDED_ALL, _EVERY, _USED)):
        names = [one.figure for one in _MEASURES]
        results.add(added, {n: results.value(more, n) - results.value(less, n) for n in names})
    return results


def _import(statement: str, bytecode: str) -> Figures:
    """Return milliseconds; what Python has compiled is kept in the folder ``bytecode``."""
    program = [sys.executable, "-c", _PROGRAM.format(statement=statement)]
    environment = {**os.environ, "PYTHONPYCACHEPREFIX": bytecode}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    run = subprocess.run(
        program, cwd=ROOT, env=environment, capture_output=True, text=True, check=True
    )
    wall, cpu = (float(seconds) * 1000 for seconds in run.stdout.split())
    return {"wall": wall, "cpu": cpu}


_MEASURES = (Measure("wall", "ms", 1), Measure("cpu", "ms CPU", 1))
_TARGETS = (
    Target("import soniq_sa: added to SQLAlchemy", "cpu", _ADDED, most=80),
    Target("every name of soniq_sa: added to SQLAlchemy as it is used", "cpu", _ADDED_ALL, most=80),
)
_NOTES = (
    f"{_USED}: with its ORM, asyncio and PostgreSQL parts.",
    f"{_EVERY}: Worker included, which a process that only enqueues does not need.",
)
