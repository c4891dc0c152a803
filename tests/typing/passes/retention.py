"""How long jobs are kept, in every form."""

from datetime import timedelta

from shop import soniq
from soniq_sa import TaskOptions


@soniq.job(retention=timedelta(days=1))
async def first() -> None: ...


@soniq.job(retention=None)
async def second() -> None: ...


@soniq.job(retention={"done": 0, "cancelled": timedelta(hours=1), "dead": None})
def third() -> None: ...


shared: TaskOptions = {"retention": {"dead": 3600}}


@soniq.job(**shared)
def fourth() -> None: ...
