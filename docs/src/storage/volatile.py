from soniq_sa.models import include_tables
from sqlalchemy.orm import DeclarativeBase


class Base(DeclarativeBase):
    pass


# region volatile
include_tables(Base.metadata, durability="volatile")
# endregion
