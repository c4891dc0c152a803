"""The table of the metrics."""

from __future__ import annotations

from soniq_sa.observability.metrics import METRICS

from docs.src.reference.options import table


def metrics_table() -> str:
    """Return the metrics with their kinds, their labels, and what they tell."""
    rows = [
        [f"`{one.name}`", one.kind, ", ".join(f"`{label}`" for label in one.labels), one.help]
        for one in METRICS
    ]
    return table(["metric", "kind", "labels", "meaning"], rows)
