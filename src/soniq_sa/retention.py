"""How long jobs are kept after their end: what a task says, and what holds where it says nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, TypedDict

from soniq_sa.errors import OptionError, UnknownOptionError
from soniq_sa.options import Seconds, check_seconds, shown
from soniq_sa.states import JobState
from soniq_sa.suggestions import did_you_mean

ENDED = (JobState.DONE, JobState.CANCELLED, JobState.DEAD)
"""The states in which a job has ended."""

RetentionSetting = float | Literal["none"] | None
"""Seconds, or none for ever, as a setting says it; None leaves the setting as it is."""

Spans = Mapping[JobState, float | None]
"""Seconds by state; None is for ever."""


class RetentionByState(TypedDict, total=False):
    """How long jobs are kept that ended in each of these states: seconds, or None for ever.

    What is left out is left to the settings.
    """

    done: Seconds | None
    cancelled: Seconds | None
    dead: Seconds | None


@dataclass(frozen=True, slots=True)
class Retention:
    """How long the jobs of one application are kept.

    defaults: For every state in which a job ends.
    by_task: What tasks say themselves, by the names under which their jobs are stored.
    """

    defaults: Spans
    by_task: Mapping[str, Spans]

    def of(self, task: str, state: JobState) -> float | None:
        """Return for how many seconds a job of ``task`` is kept that ended as ``state``."""
        return self.by_task.get(task, self.defaults).get(state, self.defaults[state])

    def exceptions(self, state: JobState) -> dict[float | None, list[str]]:
        """Return the names of the tasks to which another time than the default applies, by the time."""
        found: dict[float | None, list[str]] = {}
        for task in self.by_task:
            if (span := self.of(task, state)) != self.defaults[state]:
                found.setdefault(span, []).append(task)
        return found


def check_retention(given: object) -> Spans:
    """Return what the option ``retention`` says; a number never speaks of dead letters."""
    if isinstance(given, Mapping):
        return {_check_state(name): _check_span(value) for name, value in given.items()}
    span = _check_span(given)
    return {JobState.DONE: span, JobState.CANCELLED: span}


def _check_state(name: object) -> JobState:
    names = [state.value for state in ENDED]
    if isinstance(name, str) and name in names:
        return JobState(name)
    hint = did_you_mean(name, names) if isinstance(name, str) else ""
    raise UnknownOptionError(
        f"The option 'retention' names the state {shown(name)}.{hint} Jobs end as {', '.join(names)}."
    )


def _check_span(value: object) -> float | None:
    try:
        return None if value is None else check_seconds("retention", value)
    except OptionError as error:
        raise OptionError(f"{error.args[0]} None is for ever.") from None
