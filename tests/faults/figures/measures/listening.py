"""The connection that listens is lost, or goes half-open: until jobs are picked up at once again."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from tests.bench.results import percentile
from tests.faults.figures.figures import Fault, Figure
from tests.faults.figures.plan import Plan
from tests.faults.figures.samples import Samples
from tests.faults.figures.stage import NEVER, Stage
from tests.faults.figures.system import System
from tests.faults.messages import Message
from tests.faults.proxy import Link, Proxy, Verdict, proxy_before

_EVERY = 0.025
_BEFORE = 6.0
_WARM_UP = 3.0
_WINDOW = 5.0
_GOOD = 0.05
"""Seconds: the p99 of a window in which jobs are picked up at once."""

Break = Callable[[Plan, Proxy], None]
Wait = tuple[float, float]
"""When a job was committed, and the seconds until it was started."""


def _measured_with(breaks: Break, seconds: float) -> Callable[[Plan, System], Samples]:
    def measure(plan: Plan, system: System) -> Samples:
        return plan.repeat(system, lambda stage: _listen(plan, stage, breaks, seconds), ours=3)

    return measure


def _listen(plan: Plan, stage: Stage, breaks: Break, seconds: float) -> dict[str, float]:
    with proxy_before(stage.url) as proxy:
        proxy.judge_answer = _Backends()
        worker = stage.worker(url=proxy.url)
        producer = stage.produce(_EVERY)
        stage.must(lambda: bool(stage.lines("start")), "a first job")
        time.sleep(_WARM_UP + _BEFORE)
        broken_at = time.monotonic()
        breaks(plan, proxy)
        time.sleep(seconds)
        producer.kill()
        time.sleep(0.2)
        waits = _waits(stage)
        worker.kill()  # it would connect anew while the proxy stops
    after = [one for one in waits if one[0] >= broken_at]
    return {
        "before": _p99([wait for at, wait in waits if broken_at - _BEFORE < at < broken_at]),
        "back": _back(after) - broken_at,
        "after": _p99([wait for at, wait in after if at > after[-1][0] - _WINDOW]),
    }


def _p99(waits: Sequence[float]) -> float:
    """Return the p99 in milliseconds."""
    return percentile(waits, 99) * 1000


def _back(waits: Sequence[Wait]) -> float:
    """Return the first commit from which on a whole window is good."""
    for begin, _ in waits:
        window = [wait for at, wait in waits if begin <= at < begin + _WINDOW]
        if waits[-1][0] < begin + _WINDOW:
            break
        if percentile(window, 99) < _GOOD:
            return begin
    return NEVER


def _waits(stage: Stage) -> list[Wait]:
    starts = {line.job: line.at for line in reversed(stage.lines("start"))}
    return [
        (line.at, max(0.0, starts.get(line.job, NEVER) - line.at)) for line in stage.lines("commit")
    ]


class _Backends:
    """Note the process id of each connection's backend, and let every answer pass."""

    def __init__(self) -> None:
        self.pids: dict[Link, int] = {}

    def __call__(self, link: Link, message: Message) -> Verdict:
        if message.kind == "K":
            self.pids[link] = int.from_bytes(message.body[:4], "big")
        return Verdict.PASS


def _terminate(plan: Plan, proxy: Proxy) -> None:
    backends = proxy.judge_answer
    assert isinstance(backends, _Backends)
    for link in proxy.open_links:
        if _listens(link):
            plan.server.ask("SELECT pg_terminate_backend(%s)", backends.pids[link])


def _freeze(_plan: Plan, proxy: Proxy) -> None:
    proxy.freeze(_listens)


def _listens(link: Link) -> bool:
    return link.has_executed("LISTEN")


def _figures(most: float) -> tuple[Figure, ...]:
    return (
        Figure("pickup p99 before", "before", "ms", digits=0),
        Figure("pickup p99 below 50 ms again after", "back", "s", most=most, digits=1),
        Figure("pickup p99 of the last 5 s", "after", "ms", most=50, digits=0),
    )


TERMINATED = Fault(
    "listen",
    "the backend of the listening connection is terminated; a job every 25 ms",
    _figures(1),
    _measured_with(_terminate, 20),
)
HALF_OPEN = Fault(
    "half-open",
    "the listening connection goes half-open; a job every 25 ms",
    _figures(10),
    _measured_with(_freeze, 45),
)
