"""Any life of any number of jobs in a real worker, whose handlers do whatever a handler may do.

Hypothesis makes up the program: jobs, a worker that runs until nothing is due, calls of people, a crash
now and then, another worker. The handlers, of every kind, follow a script that is part of the program.
The model is that of `tests.lifecycle.test_any_life`, and so is what must hold after each step. Here the
worker is whole, and the model knows nothing of the order in which it works.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

from tests.lifecycle import controlling, producing, running
from tests.lifecycle.producing import Batch, batches, enqueue_batch
from tests.lifecycle.running import WORKER_SPECS, ScriptedStage
from tests.lifecycle.steps import possible
from tests.lifecycle.world import World

LONGER = "SONIQ_TEST_PROGRAMS" in os.environ
"""Every run looks at the same programs, unless it is told how many: then at new ones."""

EXAMPLES = int(os.environ.get("SONIQ_TEST_PROGRAMS", "60")) // 4
STEPS = 25
ACTORS = 2
"""One that dies with jobs, and one that rescues them."""

MODULES = (controlling, producing, running)
"""Where the steps are."""


class AnyWorker(RuleBasedStateMachine):
    """A program of steps."""

    def __init__(self, stage: ScriptedStage, runner: asyncio.Runner) -> None:
        super().__init__()
        self.world = World(stage, runner, actors=ACTORS)

    @initialize(begin=st.lists(batches(WORKER_SPECS), min_size=3, max_size=5))
    def begin_with_jobs(self, begin: list[Batch]) -> None:
        for batch in begin:
            enqueue_batch(self.world, batch)

    @rule(data=st.data())
    def take_a_step(self, data: st.DataObject) -> None:
        step = data.draw(st.sampled_from(possible(self.world, MODULES)), "step")
        step.take(self.world, data)

    @invariant()
    def the_tables_are_what_the_model_says(self) -> None:
        self.world.compare()

    def teardown(self) -> None:
        self.world.close()


@pytest.fixture(scope="module")
def stage(url: str, runner: asyncio.Runner) -> Iterator[ScriptedStage]:
    made = runner.run(_open(url))
    yield made
    runner.run(made.close())


async def _open(url: str) -> ScriptedStage:
    stage = ScriptedStage(url)
    await stage.open()
    return stage


@pytest.mark.timeout(max(300, 20 * EXAMPLES))
def test_any_life_of_jobs_in_a_worker_is_what_the_documentation_says(
    stage: ScriptedStage, runner: asyncio.Runner
) -> None:
    run_state_machine_as_test(
        lambda: AnyWorker(stage, runner),
        settings=settings(
            max_examples=EXAMPLES,
            stateful_step_count=STEPS,
            deadline=None,
            derandomize=not LONGER,
            report_multiple_bugs=False,
            phases=[Phase.explicit, Phase.reuse, Phase.generate, Phase.shrink],
            suppress_health_check=list(HealthCheck),
        ),
    )
