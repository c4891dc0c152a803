"""The benchmarks run, and what they say can be read."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from tests.bench.child import ROOT
from tests.bench.report import as_json, show, write_plots
from tests.bench.results import Measure, Results, Target, percentile
from tests.bench.svg import Bars, Lines

TRIED = [
    *("drain", "growth", "snapshot", "million"),
    *("transaction", "bulk", "committers", "pickup", "idle"),
]
"""The others are made of the same parts; `nox -s bench -- --quick` runs all of them."""
SHORT = (
    *("--json", "--quick", "--rivals=none", "--jobs=60", "--rows=300", "--minutes=0.02"),
    *(f"--only={name}" for name in TRIED),
)


@pytest.mark.timeout(600)
def test_short_benchmarks_print_figures_and_draw_plots(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tests.bench", *SHORT, f"--plots={tmp_path}"]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout + run.stderr
    found = json.loads(run.stdout)["benchmarks"]
    assert list(found) == TRIED
    for name, benchmark in found.items():
        assert all(figures for runs in benchmark["runs"].values() for figures in runs), name
        assert benchmark["targets"], name
    assert len(list(tmp_path.iterdir())) >= 5
    for file in tmp_path.iterdir():
        assert ET.parse(file).getroot().tag.endswith("svg")  # noqa: S314 - just written


def test_a_target_is_told_with_its_bound_and_whether_it_is_met() -> None:
    results = _results(ours=[1.0, 9.0, 2.0], theirs=[4.0, 4.0, 4.0])
    (verdict,) = results.verdicts()
    assert (verdict.value, verdict.low, verdict.high, verdict.met) == (0.5, 0.25, 2.25, True)
    assert "<= 1" in show({}, [results])
    assert "MISSED" not in show({}, [results])
    assert "MISSED" in show({}, [_results(ours=[5.0], theirs=[4.0])])


def test_a_ratio_is_the_middle_of_runs_that_stood_beside_each_other() -> None:
    grew_slower = _results(ours=[1.0, 2.0, 40.0], theirs=[2.0, 4.0, 80.0])
    ((value),) = [verdict.value for verdict in grew_slower.verdicts()]
    assert value == 0.5


def test_a_system_that_was_left_out_is_not_compared() -> None:
    results = _results(ours=[1.0], theirs=[])
    assert list(results.verdicts()) == []
    assert as_json({}, [results])["benchmarks"]["waiting"]["figures"] == {"ours": {"p50": 1.0}}
    assert math.isnan(results.value("theirs", "p50"))


def test_a_case_that_failed_is_told() -> None:
    results = _results(ours=[1.0], theirs=[])
    results.failures.append("theirs: it ended")
    assert "FAILED: theirs: it ended" in show({}, [results])


def test_a_percentile_is_the_smallest_value_that_covers_so_many() -> None:
    values = [float(value) for value in range(200, 0, -1)]
    assert percentile(values, 50) == 100
    assert percentile(values, 99) == 198
    assert percentile([7.0], 99) == 7
    assert math.isnan(percentile([], 50))


@pytest.mark.parametrize("logarithmic", [False, True])
def test_plots_are_drawings_also_of_nothing(tmp_path: Path, *, logarithmic: bool) -> None:
    results = _results(ours=[1.0], theirs=[])
    rows = {"a < b": {"worker": 1.0, "server": 3000.0}, "not known": {"worker": math.nan}}
    results.plots += [
        Bars("bars", "bars", "us", rows, logarithmic=logarithmic),
        Lines("lines", "lines", "s", "ms", {"a": [(0, 1), (1, 1000)]}, logarithmic=logarithmic),
        Lines("nothing", "nothing", "s", "ms", {}, logarithmic=logarithmic),
    ]
    written = write_plots(tmp_path, [results])
    assert [file.name for file in written] == ["bars.svg", "lines.svg", "nothing.svg"]
    drawn = ET.parse(written[0]).getroot()  # noqa: S314 - just written
    assert "a < b" in [element.text for element in drawn.iter()]


def _results(ours: list[float], theirs: list[float]) -> Results:
    results = Results(
        "waiting",
        "how long",
        [Measure("p50", "ms", 1)],
        [Target("waiting: that of theirs", "p50", "ours", "theirs", most=1)],
    )
    for case, values in (("ours", ours), ("theirs", theirs)):
        for value in values:
            results.add(case, {"p50": value})
    return results
