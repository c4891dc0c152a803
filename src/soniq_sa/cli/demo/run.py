"""The demo from the first request to the report."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from soniq_sa.cli.demo.failure import DemoFailedError, TookTooLongError
from soniq_sa.cli.demo.kill import kill_a_worker, wait_for_takeover
from soniq_sa.cli.demo.plan import Kind, PlannedOrder, plan_orders
from soniq_sa.cli.demo.records import Records, records_of, wait_until
from soniq_sa.cli.demo.report import Counts, Kill, Report, compute_report
from soniq_sa.cli.demo.screen import Screen
from soniq_sa.cli.demo.shop import Shop, shop_on
from soniq_sa.cli.demo.traffic import Traffic, traffic_to
from soniq_sa.localserver import LocalServer

CTRL_C = {signal.SIGINT}
CUSTOMERS = 10
# The backlog that is drained at the end: this many jobs for each order, up to a limit.
BACKLOG_PER_ORDER = 30
LARGEST_BACKLOG = 20_000
WORKERS_TIMEOUT = 60.0
FINISH_TIMEOUT = 120.0


@dataclass(frozen=True, slots=True)
class Options:
    """What the demo was asked for."""

    orders: int
    workers: int
    seed: int


def run_demo(server: LocalServer, folder: Path, options: Options, screen: Screen) -> Report:
    """Run the shop on the server, with its logs in `folder`, and return what came of it."""
    with shop_on(server.url, folder) as shop:
        screen.say("Migration", shop.migrate())
        return run_cancellable(partial(_serve, server, shop, options, screen))


def run_cancellable(main: Callable[[], Awaitable[Report]]) -> Report:
    """Run a coroutine function that Ctrl-C cancels.

    Ctrl-C has to wait while the event loop is made and closed: it would strike inside the loop's own
    code, and the loop would complain about its state.
    """
    signal.pthread_sigmask(signal.SIG_BLOCK, CTRL_C)
    try:
        return asyncio.run(_cancellable(main))
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, CTRL_C)


async def _cancellable(main: Callable[[], Awaitable[Report]]) -> Report:
    signal.pthread_sigmask(signal.SIG_UNBLOCK, CTRL_C)
    try:
        return await main()
    except DemoFailedError:
        task = asyncio.current_task()
        if task is not None and task.cancelling():  # Ctrl-C has reached a child before its main()
            raise asyncio.CancelledError from None
        raise
    finally:
        signal.pthread_sigmask(signal.SIG_BLOCK, CTRL_C)


async def _serve(server: LocalServer, shop: Shop, options: Options, screen: Screen) -> Report:
    async with records_of(server.libpq_url) as database:
        try:
            await _start_workers(shop, database, options.workers, screen)
            url = await shop.open()
            screen.say("Shop", f"{url}, log in {shop.folder}")
            async with traffic_to(url) as traffic:
                return await Run(shop, database, traffic, options, screen).report()
        except ExceptionGroup as group:
            raise await _explained(_first_of(group), shop, database) from group
        except TookTooLongError as error:
            raise await _explained(error, shop, database) from error


async def _explained(error: Exception, shop: Shop, database: Records) -> Exception:
    """Add to a vain wait what the jobs and the workers were doing meanwhile."""
    if not isinstance(error, TookTooLongError):
        return error
    return shop.children[-1].failure(f"{error}; there are {await database.states()}")


def _first_of(group: ExceptionGroup[Exception]) -> Exception:
    first: Exception = group
    while isinstance(first, ExceptionGroup):
        first = first.exceptions[0]
    return first


async def _start_workers(shop: Shop, database: Records, count: int, screen: Screen) -> None:
    workers = [shop.start_worker() for _ in range(count)]

    async def all_live() -> bool:
        shop.require_running()
        return {worker.pid for worker in workers} <= (await database.workers()).keys()

    await wait_until(all_live, "the workers to start", patience=WORKERS_TIMEOUT)
    pids = ", ".join(str(worker.pid) for worker in workers)
    screen.say("Workers", f"{count} processes: {pids}")


@dataclass(slots=True)
class Run:
    """The parts of the demo in their order."""

    shop: Shop
    database: Records
    traffic: Traffic
    options: Options
    screen: Screen

    async def report(self) -> Report:
        """Send the traffic with the kill in its middle, drain the backlog, ask the database."""
        orders = plan_orders(self.options.orders, customers=CUSTOMERS, seed=self.options.seed)
        kill = await self._orders_and_kill(orders)
        await self._all_done()
        newsletters = await self._backlog()
        kinds = [order.kind for order in orders]
        counts = Counts(
            requests=len(orders),
            rolled_back=kinds.count(Kind.DECLINED),
            savepoints_rolled_back=kinds.count(Kind.OUT_OF_STOCK),
            newsletters=newsletters,
        )
        return await compute_report(self.database, counts, kill)

    async def _orders_and_kill(self, orders: list[PlannedOrder]) -> Kill:
        customers = await self.traffic.register(CUSTOMERS)
        half_way = asyncio.Event()
        answers = 0
        with self.screen.progress("Orders", len(orders)) as show:

            def answered() -> None:
                nonlocal answers
                answers += 1
                show(answers)
                if answers * 2 >= len(orders):
                    half_way.set()

            async with asyncio.TaskGroup() as group:
                killing = group.create_task(self._kill_at(half_way))
                await self.traffic.place(orders, customers, answered)
        return killing.result()

    async def _kill_at(self, moment: asyncio.Event) -> Kill:
        await moment.wait()
        kill, held = await kill_a_worker(self.shop, self.database)
        self.screen.say("SIGKILL", f"worker {kill.pid}, which held {held} jobs")
        alone = not self.shop.workers
        if alone:
            self.shop.start_worker()
        await wait_for_takeover(kill, self.database)
        if not alone:
            self.shop.start_worker()
        return kill

    async def _all_done(
        self, show: Callable[[int], None] = lambda _done: None, total: int = 0
    ) -> None:
        async def nothing_left() -> bool:
            self.shop.require_running()
            left = await self.database.unfinished()
            show(total - left)
            return left == 0

        await wait_until(nothing_left, "every job to be finished", patience=FINISH_TIMEOUT)

    async def _backlog(self) -> int:
        """Enqueue many jobs at once and wait for the last one."""
        wanted = min(self.options.orders * BACKLOG_PER_ORDER, LARGEST_BACKLOG)
        jobs = await self.traffic.send_newsletter(max(1, wanted // CUSTOMERS))
        with self.screen.progress("Backlog", jobs) as show:
            await self._all_done(show, jobs)
        return jobs
