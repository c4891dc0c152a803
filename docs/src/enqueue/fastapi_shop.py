from collections.abc import AsyncIterator
from typing import Annotated

# region dependency
from fastapi import Depends, FastAPI
from soniq_sa import AsyncSoniqSession

from shop import Order, Session, issue_invoice


async def transaction() -> AsyncIterator[AsyncSoniqSession]:
    async with Session.begin() as session:
        yield session


Transaction = Annotated[AsyncSoniqSession, Depends(transaction, scope="function")]

app = FastAPI()


@app.post("/orders")
async def place_order(total: int, session: Transaction) -> None:
    order = Order(total=total)
    session.add(order)
    session.enqueue(issue_invoice, order)


# endregion

from fastapi.testclient import TestClient
from sqlalchemy import select

from shop import SyncSession, async_engine, create_tables, engine, tables

create_tables()
with TestClient(app) as client:
    assert client.post("/orders?total=10").status_code == 200
    assert client.portal is not None
    client.portal.call(async_engine.dispose)
with SyncSession() as database:
    assert database.scalars(select(tables.Job.task)).all() == ["shop.issue_invoice"]
engine.dispose()
