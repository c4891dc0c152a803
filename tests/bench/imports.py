"""What soniq-sa adds to the start of a program that imports SQLAlchemy anyway, in fresh interpreters.

``import soniq_sa`` loads each name when it is first asked for, so what counts is all of them.
"""

from __future__ import annotations

import subprocess
import sys

from tests.bench.child import ROOT
from tests.bench.meter import Figures
from tests.bench.plan import Plan
from tests.bench.results import Measure, Ratio, Results

NAME = "imports"
ONCE_A_RUN = 3

_BASE = "sqlalchemy"
_USED = "sqlalchemy, its orm and asyncio"
_BARE = "sqlalchemy, soniq_sa"
_EVERY = "sqlalchemy, every name of soniq_sa"
_ADDED = "added by every name"
_IMPORTS = {
    _BASE: "import sqlalchemy",
    _USED: "import sqlalchemy, sqlalchemy.orm, sqlalchemy.ext.asyncio",
    _BARE: "import sqlalchemy, soniq_sa",
    _EVERY: "import sqlalchemy; from soniq_sa import *; from soniq_sa.models import *",
}
_PROGRAM = """
import time
wall, cpu = time.perf_counter(), time.process_time()
{statement}
print(time.perf_counter() - wall, time.process_time() - cpu)
"""


def imports(plan: Plan) -> Results:
    """Import in fresh interpreters, three times a run."""
    title = f"import, {plan.runs * ONCE_A_RUN} fresh interpreters each"
    results = Results(NAME, title, _MEASURES, _RATIOS)
    for name in plan.interleave(NAME, tuple(_IMPORTS)):
        for _ in range(ONCE_A_RUN):
            results.add(name, _import(_IMPORTS[name]))
    results.figures[_ADDED] = {
        one.source: [results.value(_EVERY, one.name) - results.value(_BASE, one.name)]
        for one in _MEASURES
    }
    return results


def _import(statement: str) -> Figures:
    program = [sys.executable, "-c", _PROGRAM.format(statement=statement)]
    run = subprocess.run(program, cwd=ROOT, capture_output=True, text=True, check=True)
    wall, cpu = (float(seconds) * 1000 for seconds in run.stdout.split())
    return {"wall": [wall], "cpu": [cpu]}


_MEASURES = (Measure("wall", "wall", "ms", 1), Measure("CPU", "cpu", "ms", 1))
_RATIOS = (
    Ratio("wall", _ADDED, most=80),
    Ratio("wall", _EVERY, _BASE),
    Ratio("wall", _EVERY, _USED),
)
