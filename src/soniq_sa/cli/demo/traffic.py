"""The requests to the shop: at a steady rate, a bounded number at a time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from soniq_sa.cli.demo.failure import DemoFailedError
from soniq_sa.cli.demo.plan import PlannedOrder

if TYPE_CHECKING:
    import httpx2

ORDERS_PER_SECOND = 30
AT_A_TIME = 16
REQUEST_TIMEOUT = 30.0
CREATED, ACCEPTED, PAYMENT_REQUIRED = 201, 202, 402


class Traffic:
    """A client of the shop."""

    def __init__(self, client: httpx2.AsyncClient, no_answer: type[Exception]) -> None:
        self._client = client
        self._no_answer = no_answer
        self._free = asyncio.Semaphore(AT_A_TIME)

    async def register(self, customers: int) -> list[int]:
        """Register customers and return their ids."""
        bodies = [{"name": f"Customer {n}", "email": f"{n}@shop.example"} for n in range(customers)]
        return [int(await self._post("/customers", CREATED, json=body)) for body in bodies]

    async def place(
        self, orders: Sequence[PlannedOrder], customers: Sequence[int], answered: Callable[[], None]
    ) -> None:
        """Place the orders, and call `answered` at each answer that is the one expected."""
        start = asyncio.get_running_loop().time()
        async with asyncio.TaskGroup() as group:
            for number, order in enumerate(orders):
                await _sleep_until(start + number / ORDERS_PER_SECOND)
                await self._free.acquire()
                group.create_task(self._place(order, customers[order.customer], answered))

    async def send_newsletter(self, copies: int) -> int:
        """Enqueue `copies` jobs for each customer with one request, and return how many that is."""
        return int(
            await self._post("/newsletters", ACCEPTED, params={"issue": 1, "copies": copies})
        )

    async def _place(
        self, order: PlannedOrder, customer: int, answered: Callable[[], None]
    ) -> None:
        try:
            expected = CREATED if order.committed else PAYMENT_REQUIRED
            await self._post("/orders", expected, json=order.body(customer))
            answered()
        finally:
            self._free.release()

    async def _post(
        self,
        path: str,
        expected: int,
        *,
        json: object = None,
        params: dict[str, int] | None = None,
    ) -> str:
        try:
            response = await self._client.post(path, json=json, params=params)
        except self._no_answer as error:
            raise DemoFailedError(f"POST {path} got no answer: {error!r}") from error
        if response.status_code != expected:
            raise DemoFailedError(
                f"POST {path} was answered with {response.status_code}, not {expected}: {response.text}"
            )
        return response.text


async def _sleep_until(when: float) -> None:
    """Sleep until a time of the loop's clock, and not at all when it has passed."""
    delay = when - asyncio.get_running_loop().time()
    if delay > 0:
        await asyncio.sleep(delay)


@asynccontextmanager
async def traffic_to(url: str) -> AsyncIterator[Traffic]:
    """Open a client of the shop at `url`."""
    import httpx2

    # No proxy of the environment: the shop is on this machine.
    async with httpx2.AsyncClient(base_url=url, timeout=REQUEST_TIMEOUT, trust_env=False) as client:
        yield Traffic(client, httpx2.HTTPError)
