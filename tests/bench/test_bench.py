"""The benchmark runs, and what it says can be read."""

from __future__ import annotations

import json
import math
import subprocess
import sys

import pytest

from tests.bench.child import ROOT
from tests.bench.report import as_json, show
from tests.bench.results import Measure, Ratio, Results, percentile


@pytest.mark.parametrize("name", ["drain", "pickup", "enqueue", "imports"])
def test_a_short_benchmark_prints_figures_of_soniq_sa(name: str) -> None:
    command = [sys.executable, "-m", "tests.bench", "--json", "--runs=1", "--jobs=40"]
    run = subprocess.run(
        [*command, f"--only={name}"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stderr
    found = json.loads(run.stdout)["benchmarks"]
    assert list(found) == [name]
    assert all(values for figures in found[name]["runs"].values() for values in figures.values())
    assert found[name]["ratios"] or name == "drain"


def test_a_ratio_is_told_with_its_target() -> None:
    results = _results(ours=[1.0, 9.0, 2.0], theirs=[4.0])
    ((ratio, value, met),) = results.compare()
    assert (ratio.other, value, met) == ("theirs", 0.5, True)
    assert "<= 1" in show({}, [results])
    assert "MISSED" not in show({}, [results])
    assert "MISSED" in show({}, [_results(ours=[5.0], theirs=[4.0])])


def test_a_system_that_was_left_out_is_not_compared() -> None:
    results = _results(ours=[1.0], theirs=[])
    assert list(results.compare()) == []
    assert as_json({}, [results])["benchmarks"]["waiting"]["figures"] == {
        "ours": {"p50": 1.0},
        "theirs": {},
    }
    assert math.isnan(results.value("theirs", "p50"))


def test_a_percentile_is_the_smallest_value_that_covers_so_many() -> None:
    values = [float(value) for value in range(200, 0, -1)]
    assert percentile(50)(values) == 100
    assert percentile(99)(values) == 198
    assert percentile(99)([7.0]) == 7


def _results(ours: list[float], theirs: list[float]) -> Results:
    results = Results(
        "waiting",
        "how long",
        [Measure("p50", "s", "ms", 1)],
        [Ratio("p50", "ours", "theirs", most=1)],
    )
    results.add("ours", {"s": ours})
    results.add("theirs", {"s": theirs})
    return results
