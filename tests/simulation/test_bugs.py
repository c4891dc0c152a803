"""A bug in the protocol is found by a few hundred seeds: the simulation can fail."""

# ruff: noqa: SLF001 - a bug is made inside

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from soniq_sa.link import DatabaseAway
from soniq_sa.runtime.claimer import Claimer
from soniq_sa.runtime.recorder import Recorder
from soniq_sa.runtime.upkeep import Rescuer
from tests.simulation.world import World

SEEDS = 300


def test_statements_without_a_fence_are_found() -> None:
    assert found(lambda seed: World(seed, fenced=False))


def test_a_claim_whose_answer_was_lost_and_that_is_never_compared_is_found(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def compare_nothing(claimer: Any) -> None:
        claimer._unsure = False
        claimer._compared_at = claimer._now()

    monkeypatch.setattr(Claimer, "_release_unknown", compare_nothing)
    assert "nothing begins or ends" in found(World)


def test_ends_that_are_forgotten_when_the_database_is_away_are_found(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    run_once = Recorder.run_once

    async def forget(recorder: Any) -> float | None:
        try:
            return await run_once(recorder)
        except DatabaseAway:
            recorder._ended.clear()
            raise

    monkeypatch.setattr(Recorder, "run_once", forget)
    assert "nothing begins or ends" in found(World)


def test_jobs_of_dead_workers_that_nobody_rescues_are_found(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def look_at_nothing(_rescuer: Any) -> None:
        return None

    monkeypatch.setattr(Rescuer, "_look_for_silence", look_at_nothing)
    monkeypatch.setattr(Rescuer, "_look_for_orphans", look_at_nothing)
    assert "nothing begins or ends" in found(World)


def found(world: Callable[[int], World]) -> str:
    """Return what the first seed says that finds the bug; nothing if none does."""
    for seed in range(SEEDS):
        try:
            world(seed).run()
        except AssertionError as violated:  # also of a row that PostgreSQL would refuse
            return str(violated)
    return ""
