"""The project's own statements, compiled once, by name; for the tests of the explorer, with a mistake."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy.ext.asyncio import AsyncEngine

from soniq_sa.models.roles import Models
from soniq_sa.retention import Retention
from soniq_sa.statements import claim, control, dead, finish, prune, upkeep
from soniq_sa.states import JobState

KEPT = Retention(
    {JobState.DONE: 86_400.0, JobState.CANCELLED: 86_400.0, JobState.DEAD: None}, by_task={}
)


@dataclass(frozen=True)
class Mistake:
    """A part of a statement's text, as a regular expression, and what it is replaced with."""

    statement: str
    right: str
    wrong: str = ""


class Book:
    """Every statement of the actors, as text with the order of its parameters."""

    def __init__(
        self, models: Models, engine: AsyncEngine, mistakes: Sequence[Mistake] = ()
    ) -> None:
        built: dict[str, Any] = {
            "claim": claim.claim_jobs(models),
            "done": finish.finish_done(models, KEPT),
            "deleted": finish.finish_deleted(models),
            "otherwise": finish.finish_otherwise(models, KEPT),
            "release": finish.release_jobs(models, KEPT),
            "hold": finish.hold_claim(models),
            "beat": upkeep.beat(models),
            "register": upkeep.register_worker(models),
            "silent": upkeep.silent_workers(models),
            "rescue": upkeep.rescue_jobs(models, KEPT),
            "orphans": upkeep.rescue_orphans(models, KEPT),
            "promote": upkeep.promote_due(models),
            "owned": upkeep.owned_jobs(models),
            "cancel": control.cancel_job(models, KEPT),
            "put off": control.put_off_job(models),
            "retry now": control.hurry_retry(models),
            "delete": control.delete_job(models),
            "replay": dead.replay_dead(models),
            "prunable": prune.prunable_jobs(models),
            "prune": prune.prune_jobs(models),
        }
        self._compiled: dict[str, Any] = {
            name: one.compile(dialect=engine.dialect) for name, one in built.items()
        }
        self._mistakes = mistakes
        self._texts: dict[str, str] = {}

    def call(self, name: str, parameters: dict[str, Any]) -> tuple[str, list[Any]]:
        """Return a statement as the driver takes it: its text, and its parameters in their order."""
        state = self._compiled[name].construct_expanded_state(parameters)
        if name not in self._texts:
            self._texts[name] = self._mistaken(name, state.statement)
        return self._texts[name], list(state.positional_parameters)

    def _mistaken(self, name: str, text: str) -> str:
        for mistake in self._mistakes:
            if mistake.statement == name:
                text, found = re.subn(mistake.right, mistake.wrong, text)
                assert found, text
        return text
