from soniq_sa import Soniq

from database import Session
from models import Base

soniq = Soniq(Base.metadata, sessionmaker=Session)


@soniq.job
async def send_receipt(email: str, total: int) -> None:
    print(f"receipt over {total} for {email}", flush=True)
