from soniq_sa import Soniq
from soniq_sa.models import include_tables
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class Base(DeclarativeBase):
    pass


class Order(Base):
    __tablename__ = "orders"

    id: Mapped[int] = mapped_column(primary_key=True)
    total: Mapped[int]


tables = include_tables(Base.metadata)
soniq = Soniq(Base.metadata)


@soniq.job
def issue_invoice(order: Order) -> str:
    return f"invoice {order.id}"
