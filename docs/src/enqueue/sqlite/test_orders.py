from collections.abc import Iterator

import pytest
from soniq_sa import SoniqSession
from sqlalchemy import create_engine

from models import Base, Order, issue_invoice, tables


@pytest.fixture
def session() -> Iterator[SoniqSession]:
    engine = create_engine("sqlite://")
    Base.metadata.create_all(engine)
    with SoniqSession(engine) as session:
        yield session
    engine.dispose()


def test_an_order_enqueues_its_invoice(session: SoniqSession) -> None:
    order = Order(total=10)
    session.add(order)
    session.enqueue(issue_invoice, order)
    session.commit()

    job = session.query(tables.Job).one()
    assert (job.task, job.args) == ("models.issue_invoice", {"order": order.id})


def test_the_text_of_an_invoice() -> None:
    assert issue_invoice(Order(id=7, total=10)) == "invoice 7"  # a task is callable
