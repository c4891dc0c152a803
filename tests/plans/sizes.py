"""How many rows each state holds: 0 and 100,000; with ``nox -s plans`` also a million."""

from __future__ import annotations

import os

VARIABLE = "SONIQ_TEST_PLAN_ROWS"
SIZES = [int(rows) for rows in os.environ.get(VARIABLE, "0,100000").split(",")]
"""Also of an empty table: a worker keeps the plans that it made when it started."""
FILLED = [rows for rows in SIZES if rows]
