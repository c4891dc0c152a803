import os

from soniq_sa import Soniq
from soniq_sa.models import include_tables
from sqlalchemy import MetaData
from sqlalchemy.ext.asyncio import create_async_engine

engine = create_async_engine(os.environ["DATABASE_URL"])
metadata = MetaData()
include_tables(metadata)
soniq = Soniq(metadata, engine=engine)
sent: list[tuple[int, int]] = []


# region task
@soniq.job(name="billing.send_invoice", queue="billing", retry_delay=60)
async def send_invoice(order_id: int, copies: int) -> str:
    sent.append((order_id, copies))
    return f"invoice {order_id}"


# endregion
