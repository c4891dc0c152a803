"""Schedules side by side: each lane is a process with a server of its own, and plays one at a time.

A lane reads one JSON object a line (the parameters of `schedule_of`, and perhaps a mutant), and answers
with its result.
"""

from __future__ import annotations

import json
import queue
import subprocess
import sys
import threading
import traceback
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future
from contextlib import contextmanager
from typing import Any

import pytest

from tests.faults.schedules.plan import schedule_of
from tests.faults.schedules.play import QUIET, arena
from tests.faults.schedules.report import Result
from tests.process.yard import ROOT

Order = Mapping[str, Any]
"""``seed``, and perhaps ``pooled``, ``kinds``, ``lease``, ``mutant`` and ``quiet``."""


class Lanes:
    """Processes that play what they are given, in its order."""

    def __init__(self, count: int) -> None:
        self._orders: queue.SimpleQueue[tuple[Order, Future[Result]] | None] = queue.SimpleQueue()
        self._threads = [
            threading.Thread(target=self._drive, name=f"lane {number}", daemon=True)
            for number in range(count)
        ]
        self._stopping = False

    def play(self, order: Order) -> Future[Result]:
        """Have a schedule played by the first lane that is free."""
        future: Future[Result] = Future()
        self._orders.put((order, future))
        return future

    def start(self) -> None:
        """Start the lanes."""
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Let each lane play to its end what it is playing, and nothing else."""
        self._stopping = True
        for _ in self._threads:
            self._orders.put(None)
        for thread in self._threads:
            thread.join()

    def _drive(self) -> None:
        process: subprocess.Popen[str] | None = None
        while (item := self._orders.get()) is not None and not self._stopping:
            order, future = item
            if process is None or process.poll() is not None:
                process = _start_lane()
            assert process.stdin is not None
            assert process.stdout is not None
            process.stdin.write(json.dumps(dict(order)) + "\n")
            process.stdin.flush()
            answer = process.stdout.readline()
            if answer:
                future.set_result(Result(**json.loads(answer)))
            else:
                future.set_result(Result.broken(order["seed"], "the lane ended"))
        if process is not None:
            process.communicate(timeout=60)


def _start_lane() -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "tests.faults.schedules.lanes"],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


@contextmanager
def lanes_of(count: int) -> Iterator[Lanes]:
    """Run lanes."""
    made = Lanes(count)
    made.start()
    try:
        yield made
    finally:
        made.stop()


def serve(answer: Callable[[str], object] = sys.stdout.write) -> None:
    """Play a schedule for each line."""
    with arena() as here:
        for line in sys.stdin:
            order = json.loads(line)
            mutant, quiet = order.pop("mutant", None), order.pop("quiet", QUIET)
            seed = order.pop("seed")
            order["kinds"] = tuple(order.pop("kinds", ()))
            try:
                result = here.play(schedule_of(seed, **order), mutant=mutant, quiet=quiet)
            except (Exception, pytest.skip.Exception):  # noqa: BLE001 - a lane's border: it goes on
                result = Result.broken(seed, traceback.format_exc())
            answer(json.dumps(result.as_json()) + "\n")
            sys.stdout.flush()


if __name__ == "__main__":
    serve()
