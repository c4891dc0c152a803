import os
import uuid

from soniq_sa import Soniq
from soniq_sa.models import include_tables, job_fk
from sqlalchemy import create_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class Base(DeclarativeBase):
    pass


# region report
class Report(Base):
    __tablename__ = "reports"

    id: Mapped[int] = mapped_column(primary_key=True)
    job_id: Mapped[uuid.UUID | None] = mapped_column(job_fk())


include_tables(Base.metadata, durability="volatile")
# endregion
soniq = Soniq(Base.metadata, engine=create_engine(os.environ["DATABASE_URL"]))
