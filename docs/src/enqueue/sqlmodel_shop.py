import os

from soniq_sa import Soniq, enqueue
from soniq_sa.models import include_tables

# region app
from sqlmodel import Field, Session, SQLModel, create_engine


class Order(SQLModel, table=True):
    id: int | None = Field(default=None, primary_key=True)
    total: int


include_tables(SQLModel.metadata)
soniq = Soniq(SQLModel.metadata)


@soniq.job
def issue_invoice(order: Order) -> None: ...


def place_order(session: Session) -> None:
    order = Order(total=10)
    session.add(order)
    enqueue(session, issue_invoice, order)
    session.commit()


# endregion

engine = create_engine(os.environ["DATABASE_URL"].replace("+asyncpg", "+psycopg"))
SQLModel.metadata.create_all(engine)
with Session(engine) as database:
    place_order(database)
    assert database.get(Order, 1)
engine.dispose()
