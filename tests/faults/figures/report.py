"""The figures as one table for people, and as JSON."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from tests.bench.report import Row, table
from tests.faults.figures.figures import Figure, Measured


def show(machine: Mapping[str, str], every: Sequence[Measured], deadline: float) -> str:
    """Return the machine, what the faults are, and the table: the worst of all runs, or a percentile."""
    lines = [f"{name}: {value}" for name, value in machine.items()]
    lines.append("")
    lines += [f"{one.fault.name}: {one.fault.title}" for one in every]
    lines += ["", *table(_rows(every))]
    lines.append(
        f"never: not within {deadline:g} s. An empty field: not measured, or nothing to ask."
    )
    lines += [f"FAILED {one.fault.name}: {failure}" for one in every for failure in one.failures]
    return "\n".join(lines)


def as_json(
    machine: Mapping[str, str], every: Sequence[Measured], deadline: float
) -> dict[str, Any]:
    """Return everything, also what each run gave; null: it did not happen before the deadline."""
    return {
        "machine": dict(machine),
        "deadline": deadline,
        "faults": {one.fault.name: _fault(one) for one in every},
    }


def _fault(measured: Measured) -> dict[str, Any]:
    return {
        "title": measured.fault.title,
        "failures": measured.failures,
        "figures": [
            {
                "what": figure.what,
                "unit": figure.unit,
                "must": figure.must or None,
                "systems": {
                    system: {
                        "value": _finite(value),
                        "met": figure.met(value),
                        "runs": [_finite(one) for one in samples.get(figure.sample, ())],
                    }
                    for system, samples in measured.samples.items()
                    if not math.isnan(value := figure.value(samples))
                },
            }
            for figure in measured.fault.figures
        ],
    }


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _rows(every: Sequence[Measured]) -> Iterator[Row]:
    systems = list(dict.fromkeys(system for one in every for system in one.samples))
    yield ["fault", "", "must", *(cell for system in systems for cell in (system, ""))]
    for one in every:
        for figure in one.fault.figures:
            cells = [_cells(figure, one, system) for system in systems]
            if any(cell[0] for cell in cells):
                flat = [part for cell in cells for part in cell]
                yield [one.fault.name, figure.what, figure.must, *flat]


def _cells(figure: Figure, measured: Measured, system: str) -> tuple[str, str]:
    value = figure.value(measured.samples.get(system, {}))
    if math.isnan(value):
        return "", ""
    unit = f" {figure.unit}" if figure.unit else ""
    shown = "never" if math.isinf(value) else f"{value:,.{figure.digits}f}{unit}"
    return shown, {None: "", True: "met", False: "MISSED"}[figure.met(value)]
