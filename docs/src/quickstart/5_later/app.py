from fastapi import FastAPI, HTTPException
from sqlalchemy import select

import jobs
from database import Session
from models import Invoice, Order, tables

app = FastAPI()


@app.post("/orders")
async def place_order(email: str, total: int) -> int:
    async with Session.begin() as session:
        order = Order(email=email, total=total)
        session.add(order)
        # region enqueue
        session.enqueue(jobs.issue_invoice, order)  # the order has no id yet
        session.enqueue(jobs.send_receipt, email, total)
        session.enqueue(jobs.notify_warehouse, order)
        session.enqueue(jobs.ask_for_review.options(delay=3), email)
        # endregion
        await session.flush()
        if total > 100:
            raise HTTPException(402, "card declined")
        return order.id


@app.get("/invoices")
async def list_invoices() -> list[str]:
    async with Session() as session:
        invoices = await session.scalars(select(Invoice).order_by(Invoice.id))
        return [invoice.text for invoice in invoices]


@app.get("/jobs")
async def list_jobs() -> list[str]:
    async with Session() as session:
        rows = await session.scalars(select(tables.Job).order_by(tables.Job.id))
        return [f"{job.task} {job.state}" for job in rows]
