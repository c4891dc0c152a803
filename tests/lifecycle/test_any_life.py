"""Any life of any number of jobs, among workers that die, come back and write too late.

Hypothesis makes up the program: one step after the other, in one process and without any timing. The
steps are the library's own: its public calls, and the parts of workers that were never started. Beside
them runs a model (`tests.lifecycle.model`) that knows the documentation and no SQL. After each step the
tables are what the model says, and what must hold whatever the model says:

- a running job has a worker, and of all runs in the world at most one may write its end (P5);
- claims, attempts and crashes never go back;
- a job that has ended stays as it is, but for the count of its replays, until it is deleted;
- every job that was committed is there, or was deleted by a call that deletes (P4).
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

from tests.lifecycle import controlling, producing, trouble, working
from tests.lifecycle.actor import GatedStage
from tests.lifecycle.producing import Batch, batches, enqueue_batch
from tests.lifecycle.steps import possible
from tests.lifecycle.tasks import SPECS
from tests.lifecycle.world import World

LONGER = "SONIQ_TEST_PROGRAMS" in os.environ
"""Every run looks at the same programs, unless it is told how many: then at new ones."""

EXAMPLES = int(os.environ.get("SONIQ_TEST_PROGRAMS", "60")) * 2 // 3
STEPS = 50
ACTORS = 3
MODULES = (controlling, producing, trouble, working)
"""Where the steps are."""


class AnyLife(RuleBasedStateMachine):
    """A program of steps."""

    def __init__(self, stage: GatedStage, runner: asyncio.Runner) -> None:
        super().__init__()
        self.world = World(stage, runner, actors=ACTORS)

    @initialize(begin=st.lists(batches(SPECS), min_size=2, max_size=3))
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

    @invariant()
    def at_most_one_run_may_write_the_end_of_a_job(self) -> None:
        self.world.check_fences()

    def teardown(self) -> None:
        self.world.close()


@pytest.fixture(scope="module")
def stage(url: str, runner: asyncio.Runner) -> Iterator[GatedStage]:
    made = runner.run(_open(url))
    yield made
    runner.run(made.close())


async def _open(url: str) -> GatedStage:
    stage = GatedStage(url)
    await stage.open()
    return stage


@pytest.mark.timeout(max(300, 10 * EXAMPLES))
def test_any_life_of_jobs_is_what_the_documentation_says(
    stage: GatedStage, runner: asyncio.Runner
) -> None:
    run_state_machine_as_test(
        lambda: AnyLife(stage, runner),
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
