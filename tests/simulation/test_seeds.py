"""The protocol holds in virtual worlds where much goes wrong, with the real worker (P3, P4, P5).

``SONIQ_TEST_SEEDS`` says how many seeds; ``python -m tests.simulation`` runs thousands.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.simulation.telling import tell

HERE = Path(__file__).parent
SEEDS = int(os.environ.get("SONIQ_TEST_SEEDS", "80"))
TOGETHER = 10
FIRST = 1_000


def known() -> list[int]:
    """Return the seeds of the file."""
    lines = (HERE / "seeds.txt").read_text(encoding="utf-8").splitlines()
    return [int(line) for line in lines if not line.startswith("#")]


@pytest.mark.timeout(600)
@pytest.mark.parametrize("first", range(FIRST, FIRST + SEEDS, TOGETHER))
def test_no_seed_violates_an_invariant(first: int) -> None:
    for seed in range(first, first + TOGETHER):
        must_hold(seed)


@pytest.mark.parametrize("seed", known())
def test_no_known_seed_fails_again(seed: int) -> None:
    must_hold(seed)


def test_a_seed_always_tells_the_same_story() -> None:
    other = "from tests.simulation.telling import tell; print(tell(7).digest)"
    environment = {**os.environ, "PYTHONHASHSEED": "7"}
    elsewhere = subprocess.run(
        [sys.executable, "-c", other],
        check=True,
        capture_output=True,
        text=True,
        env=environment,
        cwd=HERE.parents[1],
    ).stdout.strip()
    first = tell(7)
    assert first.digest == tell(7).digest == elsewhere
    assert first.digest != tell(8).digest
    assert first.jobs
    assert first.faults


def must_hold(seed: int) -> None:
    """Run a seed; fail with what it found, and how to see it again."""
    told = tell(seed)
    assert not told.wrong, (
        f"{told.wrong}\nreplay: python -m tests.simulation --first {seed} --seeds 1 --trace\n"
        + "\n".join(told.trace[-40:])
    )
