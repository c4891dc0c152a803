import os

from pydantic import SecretStr
from soniq_sa import Soniq
from soniq_sa.models import include_tables
from sqlalchemy import MetaData
from sqlalchemy.ext.asyncio import create_async_engine

engine = create_async_engine(os.environ["DATABASE_URL"])
metadata = MetaData()
include_tables(metadata)

# region names
soniq = Soniq(metadata, engine=engine, redact=["iban", "date_of_birth"])
# endregion


# region type
@soniq.job(retries=0)
async def open_account(iban: str, pin: SecretStr) -> None:
    code = pin.get_secret_value()
    raise ValueError(f"The bank refuses {iban} with {code}.")
    # endregion


@soniq.job
async def log_in(user: str, api_key: int) -> None: ...
