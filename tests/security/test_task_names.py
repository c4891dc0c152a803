"""The name in a job's row is looked up among the tasks that are registered, and nowhere else."""

from __future__ import annotations

import sys
from uuid import uuid4

import pytest

from tests.runtime.bench import Bench

CANARY = "tests.security.canary"
NAMES = [
    "os.system",
    "subprocess:run",
    "builtins.exec",
    "__import__('os').system('id')",
    CANARY,
    f"{CANARY}.run",
    f"{CANARY}:soniq",
    f"{CANARY}:run",
    "note.__globals__",
    "note.handler",
    "../canary",
    "cos\nsystem\n(S'id'\ntR.",
    "",
]


@pytest.mark.parametrize("queue", ["default", f"{CANARY}:run"])
async def test_a_row_can_only_choose_a_registered_task(bench: Bench, queue: str) -> None:
    ran: list[str] = []

    @bench.task()
    async def note(name: str) -> None:
        ran.append(name)

    insert = (
        "INSERT INTO soniq_jobs (id, task, queue, args) "
        'VALUES (:id, :task, :queue, \'{"name": "id"}\')'
    )
    for name in NAMES:
        await bench.rows(insert, id=uuid4(), task=name, queue=queue)
    await bench.rows(insert, id=uuid4(), task="note", queue=queue)
    await bench.run_once()
    rows = await bench.rows("SELECT task, state, claims FROM soniq_jobs")
    assert sorted(row.task for row in rows if (row.state, row.claims) == ("queued", 0)) == sorted(
        NAMES
    )
    assert ran == ["id"]
    assert CANARY not in sys.modules


async def test_arguments_are_values_whatever_they_look_like(bench: Bench) -> None:
    ran: list[object] = []

    @bench.task()
    async def note(value: dict[str, object]) -> None:
        ran.append(value)

    given = {
        "py/object": f"{CANARY}.run",
        "$ref": "os.system",
        "__reduce__": ["os.system", ["id"]],
        "__class__": {"__module__": CANARY},
    }
    await bench.soniq.enqueue(note, given)
    await bench.run_once()
    assert ran == [given]
    assert CANARY not in sys.modules
