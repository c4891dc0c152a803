"""The shop's web application. Run it with `uvicorn shop.app:app`."""

from decimal import Decimal

from fastapi import FastAPI, HTTPException, status
from pydantic import BaseModel, Field
from sqlalchemy import select

from shop.database import Session
from shop.jobs import (
    issue_invoice,
    notify_warehouse,
    send_confirmation,
    send_newsletter,
    wrap_gift,
)
from shop.models import Customer, Order
from soniq_sa import AsyncSoniqSession

PAPERS_IN_STOCK = {"stars", "stripes"}

app = FastAPI(title="The soniq-sa example shop")


class NewCustomer(BaseModel):
    """What registering takes."""

    name: str
    email: str


class NewOrder(BaseModel):
    """What ordering takes; a card that is declined, or a paper out of stock, is for trying."""

    customer_id: int
    total: Decimal = Field(gt=0, decimal_places=2)
    card: str = "accepted"
    gift_paper: str | None = None


class Placed(BaseModel):
    """An order that was committed."""

    order_id: int
    gift_paper: str | None


class OutOfStockError(Exception):
    """There is none of it left."""


@app.get("/health")
async def health() -> str:
    """Say that the shop answers."""
    return "open"


@app.post("/customers", status_code=status.HTTP_201_CREATED)
async def register(body: NewCustomer) -> int:
    """Register a customer and return the id."""
    async with Session.begin() as session:
        customer = Customer(name=body.name, email=body.email)
        session.add(customer)
        await session.flush()
        return customer.id


@app.post("/orders", status_code=status.HTTP_201_CREATED)
async def place_order(body: NewOrder) -> Placed:
    """Place an order: its jobs exist if and only if it is committed."""
    async with Session.begin() as session:
        customer = await session.get(Customer, body.customer_id)
        if customer is None:
            raise HTTPException(status.HTTP_404_NOT_FOUND, "no such customer")
        order = Order(customer_id=customer.id, total=body.total)
        session.add(order)
        session.enqueue(issue_invoice, order)  # the order has no id yet
        session.enqueue(notify_warehouse, order=order)
        if body.gift_paper is not None:
            await add_gift_paper(session, order, body.gift_paper)
        await session.flush()
        session.enqueue(send_confirmation, order.id, customer.email)
        await charge(session, body.card)
        return Placed(order_id=order.id, gift_paper=order.gift_paper)


async def add_gift_paper(session: AsyncSoniqSession, order: Order, paper: str) -> None:
    """Add the paper if there is any. Otherwise the order stays, without paper and wrapping job."""
    try:
        async with session.begin_nested():
            order.gift_paper = paper
            session.enqueue(wrap_gift, order)
            await session.flush()
            if paper not in PAPERS_IN_STOCK:
                raise OutOfStockError(paper)
    except OutOfStockError:
        await session.refresh(order)


async def charge(session: AsyncSoniqSession, card: str) -> None:
    """Charge the card; when it is declined, order and jobs are rolled back, written or not."""
    await session.flush()
    if card == "declined":
        raise HTTPException(status.HTTP_402_PAYMENT_REQUIRED, "the card was declined")


@app.post("/newsletters", status_code=status.HTTP_202_ACCEPTED)
async def send_newsletters(issue: int, copies: int = 1) -> int:
    """Send an issue to every customer, and return how many jobs that is.

    All are enqueued in one transaction with a handful of statements. `copies` multiplies the
    customers of an example that has few.
    """
    async with Session.begin() as session:
        customers = (await session.scalars(select(Customer.id))).all()
        rows = [{"customer_id": customer, "issue": issue} for customer in customers] * copies
        session.enqueue_many(send_newsletter, rows)
        return len(rows)
