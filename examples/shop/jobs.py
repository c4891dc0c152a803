"""The shop's background jobs. A worker runs them: `soniq-sa worker --app shop.jobs:soniq`."""

import asyncio

from sqlalchemy.ext.asyncio import AsyncSession

from shop.models import Base, Invoice, Order
from soniq_sa import JobContext, Soniq, inject

WAREHOUSE_BUSY_EVERY = 10

soniq = Soniq(Base.metadata)


class WarehouseBusyError(Exception):
    """The warehouse's system did not answer; it will in a moment."""


@soniq.job(retries=5, retry_delay=1)
async def issue_invoice(order: Order, *, session: AsyncSession = inject()) -> str:
    """Write the invoice of an order: exactly once, whoever crashes when.

    The invoice and the end of the job are committed together, or neither is.
    """
    invoice = Invoice(order_id=order.id, number=f"{order.created_at:%Y}-{order.id:06d}")
    session.add(invoice)
    await session.flush()
    await _render(invoice.number)
    return invoice.number


@soniq.job(retries=5, retry_delay=0.5)
async def notify_warehouse(order: Order, *, ctx: JobContext = inject()) -> None:
    """Tell the warehouse what to pack. Now and then it is busy, and the job is tried again."""
    if order.id % WAREHOUSE_BUSY_EVERY == 0 and ctx.attempt == 1:
        raise WarehouseBusyError(f"the warehouse did not take order {order.id}")


@soniq.job
async def wrap_gift(order: Order) -> str:
    """Wrap the order in the paper that was chosen."""
    return f"order {order.id} in {order.gift_paper} paper"


@soniq.job
async def send_confirmation(order_id: int, email: str) -> None:
    """Thank for the order by e-mail: no database, so no session, and at least once."""
    await _deliver(email, f"Thank you for order {order_id}")


@soniq.job
async def send_newsletter(customer_id: int, issue: int) -> None:
    """Send one issue of the newsletter to one customer. Thousands are enqueued at once."""


async def _render(_number: str) -> None:
    """Stand in for the making of a PDF file."""
    await asyncio.sleep(0.05)


async def _deliver(_email: str, _text: str) -> None:
    """Stand in for a mail server."""
    await asyncio.sleep(0.05)
