import asyncio

# region resource
from collections.abc import AsyncIterator

# endregion
from typing import Self

from soniq_sa import inject

from shop import create_tables, engine, soniq


class Client:
    """Stand in for an HTTP client that keeps connections."""

    async def __aenter__(self) -> Self:
        print("opened")
        return self

    async def __aexit__(self, *error: object) -> None:
        print("closed")

    async def get(self, url: str) -> str:
        return f"the page {url}"


# region resource
@soniq.resource
async def client() -> AsyncIterator[Client]:
    async with Client() as opened:
        yield opened


@soniq.job
async def fetch(url: str, *, client: Client = inject()) -> None:
    print(await client.get(url))


# endregion


async def main() -> None:
    await create_tables()
    for number in (1, 2):
        await soniq.enqueue(fetch, f"/{number}")
    await soniq.run_worker(run_once=True)
    await engine.dispose()


asyncio.run(main())
