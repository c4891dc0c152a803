"""An end that the database refuses disturbs nobody else."""

import asyncio

from tests.runtime.bench import Bench

REFUSE = """
CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.args->>'note' = 'refused' AND NEW.state = 'done' THEN
        RAISE EXCEPTION 'the books are closed' USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$
"""
TRIGGER = "CREATE TRIGGER refuse BEFORE UPDATE ON soniq_jobs FOR EACH ROW EXECUTE FUNCTION refuse()"


async def test_a_success_that_a_trigger_refuses_is_a_failure_and_its_neighbours_are_done(
    bench: Bench,
) -> None:
    together = asyncio.Barrier(3)

    @bench.task(retries=0)
    async def work(note: str = "") -> None:  # noqa: ARG001 - the trigger reads it
        async with asyncio.timeout(10):
            await together.wait()

    await bench.rows(REFUSE)
    await bench.rows(TRIGGER)
    handles = [
        await bench.soniq.enqueue(work),
        await bench.soniq.enqueue(work, note="refused"),
        await bench.soniq.enqueue(work),
    ]
    async with bench.worker():
        first = await bench.until_state(handles[0], "done")
        dead = await bench.until_state(handles[1], "dead")
        last = await bench.until_state(handles[2], "done")
    assert "the books are closed" in dead.error
    assert (first.attempts, dead.attempts, last.attempts) == (1, 1, 1)
