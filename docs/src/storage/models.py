from soniq_sa.models import include_tables
from sqlalchemy.orm import DeclarativeBase


class Base(DeclarativeBase):
    pass


# region storage
include_tables(
    Base.metadata,
    storage={"fillfactor": 90, "autovacuum_vacuum_threshold": 1_000, "vacuum_truncate": None},
)
# endregion
