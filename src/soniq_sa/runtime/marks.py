"""Where a claim begins: behind the jobs that this worker has claimed before.

The claim index loses the entries of claimed jobs when they are vacuumed, and every whole scan walks past
those that are left. A claim from the marks does not: in each queue, for each priority, it begins behind
the last job that was found there. What can come to lie before a mark are jobs of a transaction that began
earlier and committed later, and jobs that are released: workers are told of both. So a whole scan follows
such news, and follows where the marks lead to fewer jobs than there is room for. One that finds as many as
there is room for may have left such jobs behind its last one: only where that stands is known then.

While some transaction keeps an old snapshot open, nothing is vacuumed, and whole scans grow slow. Then even
news has to wait for a whole scan until that takes a small part of the time only. Whether it is the dead
entries that cost the time is tried out: where a claim from the marks is no faster, the machine is just
busy.

    in time ──slow twice──▶ trial ──fast──▶ late, with whole scans now and then
       ▲                      └──slow──▶ in time, no trial for a while │
       └────────────────────── a whole scan was fast ──────────────────┘
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from enum import Enum
from typing import Any
from uuid import UUID

from soniq_sa.runtime.jobs import HeldJob

Mark = tuple[datetime, UUID]
"""Due time and id of a job: its place among those of its queue and priority."""

PLACE = ("queues", "priorities", "times", "ids", "last_priorities")
"""The parameters of a claim from the marks: arrays."""
_LEAST, _MOST = -32768, 32767
"""Priorities that the database holds."""
_BEGIN: Mark = (datetime.min.replace(tzinfo=UTC), UUID(int=0))
_MOST_MARKS = 30
"""With more, a claim would cost more than the dead entries."""

_SLOW, _PER_JOB = 0.005, 0.00003
"""Seconds that a claim takes at most where it walks past few entries, and for each job that it takes."""
_GAIN = 2
"""A claim from the marks must be so many times as fast."""
_SHARE = 50
"""Slow whole scans may take one part in so many of the time."""
_SHORTEST, _LONGEST, _NO_TRIAL = 1.5, 5.0, 10.0
"""Seconds between two slow whole scans at least and at most, and until the next trial after one that failed.
At most, because a scan also seems slow whose answer waited for a handler that blocked the event loop."""


class _Wholes(Enum):
    """When a whole scan follows news."""

    IN_TIME = "in time"
    TRIAL = "trial"
    LATE = "late"


class Marks:
    """How the next claim is made, from what was told and from how long the last ones took."""

    def __init__(self) -> None:
        self._marks: dict[tuple[str, int], Mark] = {}
        self._wholes = _Wholes.IN_TIME
        self._news = True
        self._slow_ones = 0
        self._whole_took = 0.0
        self._whole_at = -math.inf
        self._no_trial_until = -math.inf

    def note_news(self) -> None:
        """Learn that there may be jobs that the marks do not lead to."""
        self._news = True

    def lead(self, now: float) -> bool:
        """Tell whether the next claim, now, begins at the marks."""
        if not 0 < len(self._marks) <= _MOST_MARKS:
            return False
        return not self._news or not self.whole_due(now)

    def whole_due(self, now: float) -> bool:
        """Tell whether a whole scan may follow what was told, or where the marks led to too little."""
        return self._wholes is _Wholes.IN_TIME or now >= self._next_whole

    @property
    def whole_due_at(self) -> float:
        """Return when a whole scan has to follow that was put off; infinity if none was."""
        late = self._news and self._wholes is not _Wholes.IN_TIME
        return self._next_whole if late else math.inf

    def places(self, queues: Sequence[str]) -> Mapping[str, Sequence[Any]]:
        """Return where to look, queue by queue, the most urgent first, as parameters of the statement.

        Between the priorities that have marks, everything is looked at.
        """
        places: list[tuple[Any, ...]] = []
        for queue in queues:
            least = _LEAST
            for priority in sorted(one for where, one in self._marks if where == queue):
                if least < priority:
                    places.append((queue, least, *_BEGIN, priority - 1))
                places.append((queue, priority, *self._marks[queue, priority], priority))
                least = priority + 1
            if least <= _MOST:
                places.append((queue, least, *_BEGIN, _MOST))
        return dict(zip(PLACE, zip(*places, strict=True), strict=True))

    def begin_whole(self) -> None:
        """Note that a whole claim is sent: it finds all that was told of until now."""
        self._news = False

    def note_whole(self, jobs: Sequence[HeldJob], now: float, took: float, *, full: bool) -> None:
        """Learn which jobs a whole claim found, in their order, when it began, and how long it took.

        full: There was room for no more.
        """
        if full:
            self._marks.clear()
        wasted = self._note(jobs, took)
        self._whole_at, self._whole_took = now, wasted
        self._slow_ones = self._slow_ones + 1 if wasted > _SLOW else 0
        if not self._slow_ones:
            self._wholes = _Wholes.IN_TIME
        elif self._slow_ones > 1 and now >= self._no_trial_until:
            self._wholes = _Wholes.LATE if self._wholes is _Wholes.LATE else _Wholes.TRIAL

    def note_marked(self, jobs: Sequence[HeldJob], now: float, took: float) -> None:
        """Learn the same of a claim from the marks."""
        wasted = self._note(jobs, took)
        if self._wholes is _Wholes.TRIAL:
            faster = wasted * _GAIN < self._whole_took
            self._wholes = _Wholes.LATE if faster else _Wholes.IN_TIME
            self._no_trial_until = now if faster else now + _NO_TRIAL

    def _note(self, jobs: Sequence[HeldJob], took: float) -> float:
        """Move the marks on; return the seconds that were not spent on the jobs themselves."""
        last = {(job.queue, job.priority): job for job in jobs}
        for place, job in last.items():
            if place in self._marks or len(self._marks) <= _MOST_MARKS:
                self._marks[place] = max(self._marks.get(place, _BEGIN), (job.run_at, job.id))
        return took - _PER_JOB * len(jobs)

    @property
    def _next_whole(self) -> float:
        pause = max(_SHORTEST, _SHARE * self._whole_took)
        return self._whole_at + min(pause, _LONGEST)
