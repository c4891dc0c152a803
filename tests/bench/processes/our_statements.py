"""The claim and the finish of soniq-sa through bare asyncpg: what its statements cost."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy.dialects.postgresql.asyncpg import dialect

from soniq_sa.statements.claim import claim_jobs
from soniq_sa.statements.finish import finish_done
from tests.bench.app import soniq
from tests.bench.processes.bare import BATCH, BareScript
from tests.bench.processes.ours import OurScript
from tests.bench.script import run

SETTINGS = "; ".join(
    f"SET {name} = {value}"
    for name, value in {
        "plan_cache_mode": "force_generic_plan",
        **dict.fromkeys(
            ("enable_sort", "enable_seqscan", "enable_hashjoin", "enable_mergejoin", "jit"), "off"
        ),
    }.items()
)
"""As the connections of a worker have them."""


class OurStatementsScript(BareScript):
    def __init__(self) -> None:
        super().__init__()
        self._claim = Compiled(claim_jobs(soniq.models))
        self._finish = Compiled(finish_done(soniq.models, soniq.tasks.retention()))

    async def prepare(self, jobs: int) -> None:
        await OurScript().prepare(jobs)

    async def register(self, connection: Any) -> UUID:
        """Add a worker, without which nothing is claimed."""
        await self.prepare_connection(connection)
        owner = uuid4()
        await connection.execute(
            "INSERT INTO soniq_workers (id, name, expires_at) VALUES ($1, 'bench', 'infinity')",
            owner,
        )
        return owner

    async def prepare_connection(self, connection: Any) -> None:
        """Have PostgreSQL plan as for a worker."""
        await connection.execute(SETTINGS)

    async def claim(self, connection: Any, owner: UUID) -> Sequence[Any]:
        rows: Sequence[Any] = await connection.fetch(
            self._claim.text, *self._claim.arguments(**claim_values(owner))
        )
        return rows

    async def finish(self, connection: Any, owner: UUID, rows: Sequence[Any]) -> None:
        ids = [row["id"] for row in rows]
        values = {"ids": ids, "claim_number": 1, "owner": owner}
        await connection.fetch(self._finish.text, *self._finish.arguments(**values))


class Compiled:
    """A statement of soniq-sa as text for asyncpg, and the order of its parameters."""

    def __init__(self, statement: Any) -> None:
        self._compiled = statement.compile(dialect=dialect())  # type: ignore[no-untyped-call]
        self.text = str(self._compiled)

    def arguments(self, **values: Any) -> list[Any]:
        """Return the parameters in their order."""
        every = self._compiled.construct_params(values)
        return [every[name] for name in self._compiled.positiontup]


def claim_values(owner: UUID) -> dict[str, Any]:
    """Return what a worker of the default queue claims with."""
    tasks = soniq.tasks.names
    return {"queues": ["default"], "tasks": tasks, "limit": BATCH, "owner": owner}


if __name__ == "__main__":
    run(OurStatementsScript())
