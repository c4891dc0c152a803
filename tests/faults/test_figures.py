"""The command that measures faults runs, and its table says what is met and what is not."""

from __future__ import annotations

import json
import math
import subprocess
import sys

import pytest

from tests.faults.figures.figures import Fault, Figure, Measured
from tests.faults.figures.report import as_json, show
from tests.faults.figures.samples import Samples
from tests.faults.figures.stage import NEVER
from tests.process.yard import ROOT

AGAIN = Figure("started again, p99", "again", "s", most=2, percent=99, digits=1)
DONE = Figure("done", "done", least=3)
STUCK = Figure("stuck", "stuck", most=0)


@pytest.mark.parametrize(
    ("figure", "samples", "value", "met"),
    [
        (AGAIN, {"again": [1.0] * 99 + [9.0]}, 1.0, True),
        (AGAIN, {"again": [1.0] * 98 + [9.0] * 2}, 9.0, False),
        (AGAIN, {"again": [1.0, NEVER]}, NEVER, False),
        (DONE, {"done": [4, 3]}, 3, True),
        (DONE, {"done": [4, 2]}, 2, False),
        (STUCK, {"stuck": [0, 0]}, 0, True),
        (STUCK, {"stuck": [0, 1]}, 1, False),
        (Figure("told", "told"), {"told": [7, 8]}, 8, None),
        (STUCK, {}, math.nan, None),
        (STUCK, {"stuck": [math.nan]}, math.nan, None),
    ],
)
def test_the_worst_run_or_the_percentile_decides(
    figure: Figure, samples: Samples, value: float, *, met: bool | None
) -> None:
    found = figure.value(samples)
    assert found == value or (math.isnan(found) and math.isnan(value))
    assert figure.met(found) is met


def measured() -> Measured:
    fault = Fault("kill", "SIGKILL of a worker", (AGAIN, DONE, STUCK), lambda _plan, _system: {})
    made = Measured(fault)
    made.samples["soniq-sa"] = {"again": [0.5], "done": [3], "stuck": [0]}
    made.samples["other 1.0"] = {"again": [NEVER], "stuck": [1]}
    return made


def test_the_table_has_a_line_for_each_figure_and_a_column_for_each_system() -> None:
    table = show({"machine": "2 CPUs"}, [measured()], 60)
    rows = [" ".join(line.split()) for line in table.splitlines()]
    assert "machine: 2 CPUs" in rows
    assert "kill: SIGKILL of a worker" in rows
    assert "fault must soniq-sa other 1.0" in rows
    assert "kill started again, p99 <= 2 s 0.5 s met never MISSED" in rows
    assert "kill done >= 3 3 met" in rows
    assert "kill stuck 0 0 met 1 MISSED" in rows
    assert "never: not within 60 s. An empty field: not measured, or nothing to ask." in rows


def test_the_json_has_each_run_and_null_for_what_never_happened() -> None:
    document = json.loads(json.dumps(as_json({}, [measured()], 60), allow_nan=False))
    again, done, _ = document["faults"]["kill"]["figures"]
    assert again["systems"]["soniq-sa"] == {"value": 0.5, "met": True, "runs": [0.5]}
    assert again["systems"]["other 1.0"] == {"value": None, "met": False, "runs": [None]}
    assert "other 1.0" not in done["systems"]


@pytest.mark.timeout(300)
def test_one_fault_is_made_and_measured() -> None:
    command = [sys.executable, "-m", "tests.faults.figures", "--json", "--runs", "1"]
    run = subprocess.run(
        [*command, "--systems", "ours", "--only", "hostile"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stdout + run.stderr
    found = json.loads(run.stdout)
    assert found["machine"]["PostgreSQL"]
    figures = found["faults"]["hostile"]["figures"]
    assert [one["systems"]["soniq-sa"]["met"] for one in figures] == [True, True, True]


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (["--only", "flood"], "flood"),
        (["--systems", "ours,celery"], "celery"),
        (["--runs", "0"], "0 is not 1 or more"),
    ],
    ids=["fault", "system", "runs"],
)
def test_a_wrong_option_is_named(arguments: list[str], part: str) -> None:
    command = [sys.executable, "-m", "tests.faults.figures", *arguments]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert run.returncode == 2
    assert part in run.stderr
