"""A worker's options have names and types."""

from shop import Base, soniq
from soniq_sa import Worker


async def wrong_options() -> None:
    await soniq.run_worker(concurency=5)  # error: Unexpected keyword argument "concurency" || No parameter named "concurency"
    await soniq.run_worker(concurrency="5")  # error: expected "int | None" || parameter "concurrency" of type "int | None"
    soniq.run_worker()  # error: must be used || is not used


Worker(Base.metadata)  # error: incompatible type "MetaData" || "MetaData" is not assignable
Worker(soniq, lease="15 s")  # error: expected "float | None" || parameter "lease" of type "float | None"
Worker(soniq, retention_dead="never")  # error: expected "float | Literal['none'] | None" || parameter "retention_dead" of type
