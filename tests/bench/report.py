"""The figures as tables for people, as JSON, and as plots."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.bench.results import Measure, Results, Verdict

Row = Sequence[str]


def show(machine: Mapping[str, str], every: Sequence[Results]) -> str:
    """Return the machine, one table of figures a benchmark, and the table of targets."""
    lines = [f"{name}: {value}" for name, value in machine.items()]
    for results in every:
        lines += ["", f"{results.name}: {results.title}", *table(_figures(results))]
        lines += [f"  {note}" for note in results.notes]
        lines += [f"  FAILED: {failure}" for failure in results.failures]
    lines += [
        "",
        "targets (of the ratios of runs beside each other: the middle, lowest and highest)",
    ]
    lines += table(_targets(every))
    return "\n".join(lines)


def as_json(machine: Mapping[str, str], every: Sequence[Results]) -> dict[str, Any]:
    """Return everything, also what each run gave."""
    return {
        "machine": dict(machine),
        "benchmarks": {results.name: _benchmark(results) for results in every},
    }


def write_plots(folder: Path, every: Sequence[Results]) -> list[Path]:
    """Write the plots of all benchmarks, and return the files."""
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for results in every:
        for plot in results.plots:
            written.append(folder / f"{plot.name}.svg")
            written[-1].write_text(plot.svg())
    return written


def _benchmark(results: Results) -> dict[str, Any]:
    return {
        "title": results.title,
        "runs": {
            case: [
                {name: value for name, value in run.items() if not math.isnan(value)}
                for run in runs
            ]
            for case, runs in results.runs.items()
        },
        "figures": {
            case: {
                one.figure: value
                for one in results.measures
                if not math.isnan(value := results.value(case, one.figure))
            }
            for case in results.runs
        },
        "targets": [
            {
                "work": verdict.target.work,
                "figure": verdict.target.figure,
                "ours": verdict.target.ours,
                "other": verdict.target.other,
                "value": verdict.value,
                "low": verdict.low,
                "high": verdict.high,
                "target": verdict.target.bound or None,
                "met": verdict.met,
            }
            for verdict in results.verdicts()
        ],
        "failures": results.failures,
    }


def _figures(results: Results) -> Iterator[Row]:
    measures = [
        one
        for one in results.measures
        if not all(math.isnan(results.value(case, one.figure)) for case in results.runs)
    ]
    yield ["", *(one.figure for one in measures)]
    yield ["", *(one.unit for one in measures)]
    for case in results.runs:
        yield [case, *(_number(results.value(case, one.figure), one.digits) for one in measures)]


def _targets(every: Sequence[Results]) -> Iterator[Row]:
    yield ["benchmark", "what", "is", "from", "to", "target", ""]
    for results in every:
        for verdict in results.verdicts():
            met = {None: "", True: "met", False: "MISSED"}[verdict.met]
            numbers = (verdict.value, verdict.low, verdict.high)
            shown = [_number(value, _digits(value, verdict, results.measures)) for value in numbers]
            unit = f" {verdict.unit}" if verdict.unit else ""
            bound = verdict.target.bound and f"{verdict.target.bound}{unit}"
            yield [results.name, verdict.target.work, *shown, bound, met]


def _digits(value: float, verdict: Verdict, measures: Sequence[Measure]) -> int:
    if verdict.target.other is None:
        return next(one.digits for one in measures if one.figure == verdict.target.figure)
    return 2 if value < 100 else 0


def _number(value: float, digits: int) -> str:
    return "" if math.isnan(value) else f"{value:,.{digits}f}"


def table(rows: Iterator[Row]) -> Iterator[str]:
    """Yield the lines: columns of numbers to the right, all else to the left."""
    columns = list(zip(*rows, strict=True))
    shown = []
    for number, column in enumerate(columns):
        width = max(map(len, column))
        right = number > 0 and any(map(_is_number, column))
        shown.append([cell.rjust(width) if right else cell.ljust(width) for cell in column])
    for row in zip(*shown, strict=True):
        yield "  ".join(["", *row]).rstrip()


def _is_number(cell: str) -> bool:
    return cell.lstrip("-")[:1].isdigit()
