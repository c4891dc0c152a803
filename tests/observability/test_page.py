"""The page about metrics names every metric, and no other."""

from __future__ import annotations

import re

from docs.src.write import ROOT
from soniq_sa.observability.metrics import METRICS

PAGE = (ROOT / "docs" / "metrics.md").read_text("utf-8")
NAMES = {one.name for one in METRICS}


def test_the_table_has_each_metric_with_its_kind_labels_and_meaning() -> None:
    rows = [line.strip("| ").split(" | ") for line in PAGE.splitlines() if "| `soniq_sa_" in line]
    assert [tuple(row) for row in rows] == [
        (
            f"`{one.name}`",
            one.kind,
            ", ".join(f"`{label}`" for label in one.labels),
            one.help,
        )
        for one in METRICS
    ]


def test_every_name_on_the_page_is_that_of_a_metric() -> None:
    found = set(re.findall(r"\bsoniq_sa_\w+", PAGE))
    assert found == NAMES


def test_names_have_their_unit_and_counters_their_ending() -> None:
    for one in METRICS:
        assert one.name.endswith("_total") == (one.kind == "counter"), one
        assert not re.search(r"_(ms|minutes|millis)", one.name), one
        assert one.help.endswith("."), one
