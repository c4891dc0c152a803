"""The steps of a program: functions of the world and of what Hypothesis draws."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from types import ModuleType

from hypothesis import strategies as st

from tests.lifecycle.model import Shown
from tests.lifecycle.world import World

Take = Callable[[World, st.DataObject], None]
Condition = Callable[[World], object]


@dataclass(frozen=True, eq=False)
class Step(Shown):
    """A kind of step, with the condition under which it can be taken."""

    take: Take
    weight: int
    when: Condition

    def __repr__(self) -> str:
        return self.take.__name__


STEPS: list[Step] = []


def step(*, weight: int = 1, when: Condition = lambda _: True) -> Callable[[Take], Take]:
    """Register a function as a step.

    Hypothesis would have each rule of its own switched off in half of the programs, and few programs
    would get far without those that enqueue, claim and end: so all steps are one rule, with weights.
    """

    def register(take: Take) -> Take:
        STEPS.append(Step(take, weight, when))
        return take

    return register


def possible(world: World, modules: Iterable[ModuleType]) -> list[Step]:
    """Return the steps of some modules that can be taken now, each as often as it weighs.

    The heaviest come first, which Hypothesis draws more often than others.
    """
    names = {module.__name__ for module in modules}
    found = [one for one in STEPS if one.take.__module__ in names and one.when(world)]
    found.sort(key=lambda one: -one.weight)
    return [one for one in found for _ in range(one.weight)]
