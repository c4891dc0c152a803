import asyncio
from datetime import timedelta

from jobs import charge, engine, soniq


async def main() -> None:
    await soniq.create_all(engine)
    await soniq.enqueue(charge, 1)
    await soniq.run_worker(run_once=True, handle_signals=False)
    # region audit
    report = await soniq.audit(since=timedelta(days=1))
    for result in report.violations:
        print(result.check, result.total, result.findings[0].wrong)
    assert report.ok
    # endregion
    assert report.states == {"done": 1}
    await engine.dispose()


asyncio.run(main())
