import os

from soniq_sa import Soniq
from soniq_sa.models import include_tables
from sqlalchemy import MetaData
from sqlalchemy.ext.asyncio import create_async_engine

from models import InvoiceArgs

engine = create_async_engine(os.environ["DATABASE_URL"])
metadata = MetaData()
include_tables(metadata)
soniq = Soniq(metadata, engine=engine)
sent: list[tuple[str, str]] = []


# region consumer
@soniq.job(name="billing.invoices.send.v2", args_model=InvoiceArgs, queue="billing")
async def send_invoice(order_id: str, customer: str) -> str:
    sent.append((order_id, customer))
    return f"invoice for {customer}"


# endregion
