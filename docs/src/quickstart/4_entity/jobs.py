from soniq_sa import Soniq, inject
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
