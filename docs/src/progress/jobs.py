import asyncio
import os
from collections.abc import Sequence

from soniq_sa import AsyncSoniqSession, JobContext, Soniq, inject
from soniq_sa.models import include_tables
from sqlalchemy.ext.asyncio import async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

engine = create_async_engine(os.environ["DATABASE_URL"])
Session = async_sessionmaker(engine, class_=AsyncSoniqSession)


class Base(DeclarativeBase):
    pass


class Page(Base):
    __tablename__ = "pages"
    id: Mapped[int] = mapped_column(primary_key=True)
    url: Mapped[str]
    text: Mapped[str]


include_tables(Base.metadata)
soniq = Soniq(Base.metadata, sessionmaker=Session)
may_go_on = asyncio.Event()


async def fetch(url: str) -> str:
    if url.endswith("3"):
        await may_go_on.wait()
    return f"the text of {url}"


# region progress
@soniq.job
async def read_pages(urls: Sequence[str], ctx: JobContext = inject()) -> None:
    for number, url in enumerate(urls, 1):
        text = await fetch(url)
        async with ctx.transaction() as session:
            session.add(Page(url=url, text=text))
        ctx.progress(number, len(urls), url)


# endregion
