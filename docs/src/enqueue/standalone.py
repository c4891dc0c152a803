import asyncio
from datetime import date

from shop import async_engine, create_tables, engine, send_report, soniq

create_tables()
engine.dispose()
today = date(2026, 11, 20)


async def main() -> None:
    # region asynchronous
    handle = await soniq.enqueue(send_report, customer_id=1, day=today)
    # endregion
    assert handle.row is None
    await async_engine.dispose()


asyncio.run(main())
# region synchronous
soniq.enqueue_sync(send_report, customer_id=1, day=today)
# endregion
