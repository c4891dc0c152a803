"""The figures as tables for people, and as JSON."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from tests.bench.results import Measure, Ratio, Results

Row = Sequence[str]


def show(machine: Mapping[str, str], every: Sequence[Results]) -> str:
    """Return the machine, one table of figures a benchmark, and the table of ratios."""
    lines = [f"{name}: {value}" for name, value in machine.items()]
    for results in every:
        lines += ["", results.title, *_table(_figures(results)), *(f"  {n}" for n in results.notes)]
    lines += ["", "ratios", *_table(_ratios(every))]
    return "\n".join(lines)


def as_json(machine: Mapping[str, str], every: Sequence[Results]) -> dict[str, Any]:
    """Return everything, also what each run gave."""
    return {
        "machine": dict(machine),
        "benchmarks": {
            results.name: {
                "title": results.title,
                "runs": results.figures,
                "figures": {
                    system: {
                        one.name: value
                        for one in results.measures
                        if not math.isnan(value := results.value(system, one.name))
                    }
                    for system in results.figures
                },
                "ratios": [
                    {
                        "measure": ratio.measure,
                        "ours": ratio.ours,
                        "other": ratio.other,
                        "value": value,
                        "target": _target(ratio) or None,
                        "met": met,
                    }
                    for ratio, value, met in results.compare()
                ],
            }
            for results in every
        },
    }


def _figures(results: Results) -> Iterator[Row]:
    measures = results.measures
    yield ["", *(f"{one.name}, {one.unit}" for one in measures)]
    for system in results.figures:
        yield [system, *(_number(results.value(system, one.name), one) for one in measures)]


def _ratios(every: Sequence[Results]) -> Iterator[Row]:
    yield ["benchmark", "measure", "of", "over", "ratio", "target", ""]
    for results in every:
        for ratio, value, met in results.compare():
            measure = next(one for one in results.measures if one.name == ratio.measure)
            shown = f"{value:.2f}" if ratio.other else f"{value:.{measure.digits}f} {measure.unit}"
            verdict = "" if met is None else "met" if met else "MISSED"
            name = f"{measure.name}, {measure.unit}"
            yield [
                results.name, name, ratio.ours, ratio.other or "-", shown, _target(ratio), verdict
            ]  # fmt: skip


def _target(ratio: Ratio) -> str:
    if ratio.most is not None:
        return f"<= {ratio.most:g}"
    return f">= {ratio.least:g}" if ratio.least is not None else ""


def _number(value: float, measure: Measure) -> str:
    return "" if math.isnan(value) else f"{value:,.{measure.digits}f}"


def _table(rows: Iterator[Row]) -> Iterator[str]:
    """Yield the lines: first column to the left, numbers to the right."""
    every = list(rows)
    widths = [max(map(len, column)) for column in zip(*every, strict=True)]
    for row in every:
        cells = [
            cell.rjust(width) if _is_number(cell) else cell.ljust(width)
            for cell, width in zip(row, widths, strict=True)
        ]
        yield "  ".join(["", *cells]).rstrip()


def _is_number(cell: str) -> bool:
    return cell[:1].isdigit() or cell[:2].strip("-")[:1].isdigit()
