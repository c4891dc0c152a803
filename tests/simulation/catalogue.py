"""Every statement that a worker sends, by its text: what it is called, and its parameters' names.

The texts are those that SQLAlchemy compiles from the functions of `soniq_sa.statements`, so a worker
that sent anything else would be told that it is not known.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from sqlalchemy import text

from soniq_sa.models.roles import Models
from soniq_sa.retention import Retention
from soniq_sa.runtime.handler import COMMIT_WITHIN
from soniq_sa.statements import claim, enqueue, finish, prune, schema, settings, upkeep

EFFECT = text("INSERT INTO effects (job_id) VALUES (:job_id)")
_LIMITS = re.compile(r"\('(lock_timeout|statement_timeout)', '(\d+)'\)")
"""The settings that differ from one connection to another, in milliseconds."""


@dataclass(frozen=True)
class Known:
    """A statement: the names of its parameters in their order, and how many columns it returns.

    limits: The settings that it makes, in seconds. commits: Nothing but a COMMIT may follow it.
    """

    name: str
    parameters: Sequence[str]
    width: int
    limits: dict[str, float] = field(default_factory=dict)
    commits: bool = False

    def bind(self, values: Sequence[Any]) -> dict[str, Any]:
        """Return the parameters by name."""
        return dict(zip(self.parameters, values, strict=True))


def statements(models: Models, retention: Retention) -> dict[str, Any]:
    """Return the statements by the names of what `Semantics` does for them."""
    return {
        "claim": claim.claim_jobs(models),
        "claim_suspects": claim.claim_jobs(models, suspects=True),
        "claim_marked": claim.claim_jobs(models, marked=True),
        "queues_with_jobs": claim.queues_with_jobs(models),
        "finish_done": finish.finish_done(models, retention),
        "finish_deleted": finish.finish_deleted(models),
        "finish_with_results": finish.finish_with_results(models, retention),
        "finish_otherwise": finish.finish_otherwise(models, retention),
        "release_jobs": finish.release_jobs(models, retention),
        "promote_due": upkeep.promote_due(models),
        "next_due": upkeep.next_due(models),
        "owned_jobs": upkeep.owned_jobs(models),
        "owned_unlocked": upkeep.owned_jobs(models, unlocked=True),
        "register_worker": upkeep.register_worker(models),
        "beat": upkeep.beat(models),
        "beat_looking": upkeep.beat(models, looking=True),
        "remove_worker": upkeep.remove_worker(models),
        "silent_workers": upkeep.silent_workers(models),
        "rescue_jobs": upkeep.rescue_jobs(models, retention),
        "rescue_orphans": upkeep.rescue_orphans(models, retention),
        "prunable_jobs": prune.prunable_jobs(models),
        "prune_jobs": prune.prune_jobs(models),
        "notify": enqueue.notify("", ""),
    }


ENDS = ("finish_done", "finish_deleted", "finish_with_results", "finish_otherwise")
"""What a handler's own transaction may end with."""


class Catalogue:
    """All that a worker may send, by its text."""

    def __init__(self, models: Models, retention: Retention, dialect: Any) -> None:
        self._dialect = dialect
        self._found: dict[str, Known] = {}
        missing, _ = schema.missing_columns(models)
        own = statements(models, retention)
        self._add("effect", EFFECT)
        self._add("missing_columns", missing)
        self._add("in_recovery", schema.in_recovery())
        self._add("ping", schema.ping())
        self._add("try_lock", upkeep.try_lock())
        self._add("limit_waits", upkeep.limit_waits())
        for durable in (True, False):
            made = settings.own_settings(duration=1, lock_wait=None, durable=durable, local=False)
            self._add("settle" if durable else "settle_lightly", made)
        for name, statement in own.items():
            self._add(name, statement)
        for name in ENDS:
            self._add(name, finish.to_be_committed(own[name], COMMIT_WITHIN), commits=True)

    def __getitem__(self, sent: str) -> Known:
        """Return what is sent; raise `KeyError` for what is not known."""
        if sent not in self._found and (limits := dict(_LIMITS.findall(sent))):
            seconds = {name: int(value) / 1000 for name, value in limits.items()}
            self._found[sent] = replace(self._found[_without_limits(sent)], limits=seconds)
        return self._found[sent]

    def _add(self, name: str, statement: Any, *, commits: bool = False) -> None:
        compiled = statement.compile(dialect=self._dialect)
        width = len(compiled._result_columns)  # noqa: SLF001 - it has no public name
        known = Known(name, compiled.positiontup or (), width, commits=commits)
        self._found[_without_limits(str(compiled))] = known


def _without_limits(sent: str) -> str:
    return _LIMITS.sub(r"('\1', '')", sent)
