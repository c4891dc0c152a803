from soniq_sa.models import include_tables

from models import Base

# region include
include_tables(Base.metadata, schema="jobs")
# endregion
