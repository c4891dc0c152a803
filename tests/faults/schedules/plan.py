"""What a seed stands for: a schedule, all of it values.

A schedule says what is done and when, in seconds from its start. What comes of it depends on the
machine too, so a replay does the same things at the same times, and not always finds the same.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from random import Random
from typing import Any

SEATS = 4
DOOR = SEATS
"""The number of the proxy of the producers."""

JOBS = 200
ROLES = ("claimer", "recorder", "lease", "listener", "handler")
"""The kinds of connections that a worker has."""


@dataclass(frozen=True)
class Planned:
    """A fault: its kind, when it begins, how long it lasts (0: a moment), where, and how exactly."""

    kind: str
    at: float
    lasts: float = 0.0
    seat: int = 0
    detail: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Deed:
    """What a producer does: its verb, when, for which jobs, and how exactly.

    jobs: For those that enqueue: task, arguments and delay of each.
    """

    verb: str
    at: float
    jobs: tuple[tuple[str, Mapping[str, Any], float], ...] = ()
    detail: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Schedule:
    """What happens between the start of the workers and the moment from which on nothing is disturbed."""

    seed: int
    lease: float
    concurrency: int
    length: float
    pooled: bool
    faults: tuple[Planned, ...]
    deeds: tuple[Deed, ...]

    @property
    def settings(self) -> dict[str, str]:
        """Return the settings of the workers."""
        return {
            "SONIQ_SA_LEASE": str(self.lease),
            "SONIQ_SA_HEARTBEAT": str(round(self.lease / 6, 2)),
            "SONIQ_SA_RESCUE_INTERVAL": "0.2",
            "SONIQ_SA_POLL_INTERVAL": "1",
            "SONIQ_SA_CONCURRENCY": str(self.concurrency),
            "SONIQ_SA_DRAIN_TIMEOUT": "1",
        }

    def as_json(self) -> dict[str, Any]:
        """Return it as it is written into the journal."""
        return asdict(self)


@dataclass(frozen=True)
class _Recipe:
    """How likely a kind of fault is, how long it lasts, and what else is to be decided.

    at_once: Whether it begins before anything else does.
    """

    weight: int
    lasts: Callable[[Random, float], float]
    detail: Callable[[Random], dict[str, Any]] = lambda _dice: {}
    at_once: bool = False


def _moment(_dice: Random, _lease: float) -> float:
    return 0.0


def _seconds(least: float, most: float) -> Callable[[Random, float], float]:
    return lambda dice, _lease: round(dice.uniform(least, most), 2)


def _leases(least: float, most: float) -> Callable[[Random, float], float]:
    return lambda dice, lease: round(lease * dice.uniform(least, most), 2)


def _role(dice: Random) -> dict[str, Any]:
    return {"role": dice.choice([*ROLES, None])}


RECIPES = {
    "kill": _Recipe(10, _moment),
    "pause short": _Recipe(4, _leases(0.2, 0.6)),
    "pause long": _Recipe(7, _leases(1.2, 1.8)),
    "terminate": _Recipe(6, _moment),
    "skew": _Recipe(
        4,
        _seconds(3, 8),
        lambda dice: {"hours": dice.choice([-24, -1, 1, 24])},
        at_once=True,
    ),
    "poison": _Recipe(3, _moment),
    "block": _Recipe(4, _moment, lambda dice: {"seconds": round(dice.uniform(1, 5), 1)}),
    "restart": _Recipe(4, _seconds(0.2, 1.5)),
    "crash backend": _Recipe(2, _moment, lambda dice: {"share": dice.random()}),
    "terminate backend": _Recipe(
        8, _moment, lambda dice: {"role": dice.choice(ROLES), "share": dice.random()}
    ),
    "freeze": _Recipe(6, _seconds(1, 5), _role),
    "blackhole": _Recipe(5, _seconds(1, 5)),
    "reset": _Recipe(6, _moment, _role),
    "refuse": _Recipe(4, _seconds(0.5, 4)),
    "delay": _Recipe(
        4, _seconds(1, 4), lambda dice: {"seconds": round(dice.uniform(0.01, 0.2), 3)}
    ),
    "hold": _Recipe(5, _seconds(0.5, 4), _role),
    "lose answer": _Recipe(
        8,
        _seconds(3, 6),
        lambda dice: {"to": dice.choice(["claim", "finish", ""]), "times": dice.randint(1, 3)},
    ),
    "cut after": _Recipe(6, _seconds(3, 6), lambda dice: {"messages": dice.randint(1, 60)}),
}
"""Every kind of fault. Those on connections hit those of one worker, or the producers'."""

ON_CONNECTIONS = frozenset(
    {"freeze", "blackhole", "reset", "refuse", "delay", "hold", "lose answer", "cut after"}
)
_RARE = frozenset({"restart", "crash backend", "skew", "poison"})
"""At most twice in a schedule, and not at the same time."""
_APART = 3.0
_LEAST, _MOST = 5, 9

TASKS = {
    "charge": 5,
    "charge_sync": 3,
    "parent": 3,
    "pay": 3,
    "fail_once": 2,
    "snooze": 1,
    "send": 4,
    "send_sync": 2,
    "doomed": 1,
}
_WITH_NAP = frozenset({"charge", "charge_sync", "parent", "pay", "send", "send_sync"})
VERBS = {
    "cancel": 3,
    "reschedule": 3,
    "run_now": 2,
    "retry_now": 2,
    "set_priority": 3,
    "replay": 2,
}


def schedule_of(
    seed: int,
    *,
    kinds: tuple[str, ...] = (),
    lease: float | None = None,
    pooled: bool = False,
) -> Schedule:
    """Return the schedule of a seed.

    kinds: Faults of these kinds only. lease: Seconds, instead of 2.5 to 4. pooled: With a pooler in
        front of some workers.
    """
    dice = Random(seed)  # noqa: S311 - a seed is to give the same again
    drawn = round(dice.uniform(2.5, 4), 1)
    lease = drawn if lease is None else lease
    length = round(dice.uniform(8, 11), 1)
    return Schedule(
        seed=seed,
        lease=lease,
        concurrency=dice.randint(4, 12),
        length=length,
        pooled=pooled,
        faults=tuple(_faults(dice, lease, length, kinds or tuple(RECIPES))),
        deeds=tuple(_deeds(dice, length - 1)),
    )


def _faults(dice: Random, lease: float, length: float, kinds: tuple[str, ...]) -> list[Planned]:
    count = dice.randint(_LEAST, _MOST)
    found: list[Planned] = []
    while len(found) < count:
        kind = dice.choices(kinds, [RECIPES[one].weight for one in kinds])[0]
        recipe = RECIPES[kind]
        lasts = recipe.lasts(dice, lease)
        at = 0.0 if recipe.at_once else round(dice.uniform(0.3, max(0.5, length - lasts)), 2)
        same = [one for one in found if one.kind == kind]
        if kind in _RARE and (len(same) > 1 or any(abs(one.at - at) < _APART for one in same)):
            continue
        seat = dice.randrange(SEATS)
        if kind in ON_CONNECTIONS and dice.random() < 0.1:
            seat = DOOR
        found.append(Planned(kind, at, lasts, seat, recipe.detail(dice)))
    return sorted(found, key=lambda one: one.at)


def _deeds(dice: Random, length: float) -> list[Deed]:
    found = []
    left = JOBS
    while left > 0:
        size = min(left, dice.randint(2, 16))
        found.append(Deed("enqueue", _when(dice, length), _batch(dice, size)))
        left -= size
    for verb, times in (("roll_back", 3), ("die", 2)):
        found += [
            Deed(verb, _when(dice, length), _batch(dice, dice.randint(1, 5))) for _ in range(times)
        ]
    for _ in range(12):
        verb = dice.choices(list(VERBS), list(VERBS.values()))[0]
        detail = {"pick": dice.random(), "number": round(dice.uniform(0.1, 3), 2)}
        found.append(Deed(verb, _when(dice, length), detail=detail))
    return sorted(found, key=lambda one: one.at)


def _when(dice: Random, length: float) -> float:
    return round(dice.uniform(0, length), 2)


def _batch(dice: Random, size: int) -> tuple[tuple[str, Mapping[str, Any], float], ...]:
    found = []
    for _ in range(size):
        task = dice.choices(list(TASKS), list(TASKS.values()))[0]
        nap = dice.choices([0, 0.05, 0.3, 1.5], [5, 5, 3, 1])[0]
        delay = dice.choices([0, round(dice.uniform(0.2, 3), 2)], [4, 1])[0]
        found.append((task, {"nap": nap} if task in _WITH_NAP else {}, delay))
    return tuple(found)
