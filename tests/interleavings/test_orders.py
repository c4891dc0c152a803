"""Whatever the order of three actors' steps, each job goes one way, and only its worker writes (P3-P5).

``SONIQ_TEST_ORDERS=all`` runs every order of the longest scenes too, which takes some minutes.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable

import pytest

from tests.interleavings.arena import Arena
from tests.interleavings.explorer import Explorer
from tests.interleavings.scene import Scene
from tests.interleavings.scenes import SCENES

ALL = os.environ.get("SONIQ_TEST_ORDERS") == "all"
SAMPLE = 100
"""Orders of each of the longest scenes, if not all; some of them come up twice."""
FEWEST = 30
"""Orders that every scene has at least, although statements wait for each other."""


@pytest.mark.timeout(3600 if ALL else 300)
@pytest.mark.parametrize("scene", SCENES, ids=lambda scene: scene.name)
def test_every_order_keeps_the_invariants(
    arena: Arena,
    runner: asyncio.Runner,
    scene: Scene,
    record_property: Callable[[str, object], None],
) -> None:
    explorer = Explorer(arena, arena.book(), scene)
    if scene.many and not ALL:
        count = runner.run(explorer.run_some(SAMPLE, seed=1))
    else:
        count = runner.run(explorer.run_all())
    record_property("orders", count)
    assert count >= FEWEST
