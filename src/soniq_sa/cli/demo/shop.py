"""The shop's own commands: its migration, its web server, its workers."""

from __future__ import annotations

import asyncio
import re
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from soniq_sa.cli.demo import example
from soniq_sa.cli.demo.child import Child

MIGRATION_TIMEOUT = 60.0
START_TIMEOUT = 60.0
LISTENING = re.compile(r"running on (http://127\.0\.0\.1:\d+)")


@dataclass(slots=True)
class Shop:
    """The processes of the shop, all of which end with the demo."""

    environment: Mapping[str, str]
    folder: Path
    children: list[Child] = field(default_factory=list)

    def migrate(self) -> str:
        """Run `alembic upgrade head` and return the last thing that it said."""
        configuration = example.examples_folder() / "shop" / "alembic.ini"
        migration = self._start("migration", "alembic", "-c", str(configuration), "upgrade", "head")
        migration.wait(MIGRATION_TIMEOUT)
        last_line = (migration.log_text().strip().splitlines() or ["nothing to do"])[-1]
        return last_line.rpartition("] ")[2]  # without the logger's name

    async def open(self) -> str:
        """Start the web server on a free port of its own choice and return its URL."""
        server = self._start(
            "shop", "uvicorn", example.APP, "--host", "127.0.0.1", "--port", "0", "--no-access-log"
        )
        try:
            async with asyncio.timeout(START_TIMEOUT):
                while not (listening := LISTENING.search(server.log_text())):
                    server.require_running()
                    await asyncio.sleep(0.05)
        except TimeoutError:
            raise server.failure(f"the shop was not open after {START_TIMEOUT:g} s") from None
        return listening[1]

    def start_worker(self) -> Child:
        """Start one worker process."""
        number = sum(map(_is_worker, self.children)) + 1
        return self._start(f"worker-{number}", "soniq_sa", "worker", "--app", example.TASKS)

    @property
    def workers(self) -> list[Child]:
        """Return the running workers."""
        return [child for child in self.children if _is_worker(child) and child.running]

    def require_running(self) -> None:
        """Raise `DemoFailedError` if a process ended that nobody ended."""
        for child in self.children:
            if not child.ended_on_purpose:
                child.require_running()

    def _start(self, name: str, module: str, *arguments: str) -> Child:
        child = Child(
            name,
            [sys.executable, "-m", module, *arguments],
            environment=self.environment,
            folder=self.folder,
        )
        self.children.append(child)
        return child


def _is_worker(child: Child) -> bool:
    return child.name.startswith("worker")


@contextmanager
def shop_on(database_url: str, folder: Path) -> Iterator[Shop]:
    """Yield the shop with its logs in `folder`; end its processes, at once when there was an error."""
    shop = Shop(example.environment(database_url), folder)
    ended_well = False
    try:
        yield shop
        ended_well = True
    finally:
        running = [child for child in shop.children if child.running]
        for child in running:
            child.terminate() if ended_well else child.kill()
        for child in shop.children:
            child.wait_or_kill()
