from soniq_sa import JobContext, Soniq, inject
from sqlalchemy.ext.asyncio import AsyncSession

from database import Session
from models import Base, Invoice, Order

soniq = Soniq(Base.metadata, sessionmaker=Session)


@soniq.job
async def send_receipt(email: str, total: int) -> None:
    print(f"receipt over {total} for {email}", flush=True)


@soniq.job
async def issue_invoice(order: Order, *, session: AsyncSession = inject()) -> None:
    session.add(Invoice(order_id=order.id, text=f"{order.email} owes {order.total}"))


@soniq.job(retries=5, retry_delay=2)
async def notify_warehouse(order: Order, *, ctx: JobContext = inject()) -> None:
    if ctx.attempt == 1:
        raise ConnectionError("the warehouse does not answer")
    print(f"the warehouse packs order {order.id}", flush=True)


@soniq.job
async def ask_for_review(email: str) -> None:
    print(f"how was it, {email}?", flush=True)
