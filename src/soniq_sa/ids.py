"""Job ids: UUID version 7 (RFC 9562, section 5.7), growing within the process.

The 12 bits behind the version are a counter (method 1 of section 6.2), so that jobs enqueued within
one millisecond keep their order.
"""

from __future__ import annotations

import os
import threading
import time
from uuid import UUID

_COUNTER_BITS = 12
_COUNTER_END = 1 << _COUNTER_BITS
_COUNTER_SEED_MASK = (1 << (_COUNTER_BITS - 1)) - 1
_VERSION = 7 << 76
_VARIANT = 2 << 62
_RANDOM_MASK = (1 << 62) - 1

_RANDOM_BYTES = 10
_DRAWN_AT_ONCE = 100

_lock = threading.Lock()
_millisecond = 0
_counter = 0
_drawn: list[int] = []


def uuid7() -> UUID:
    """Return a UUIDv7 greater than every one returned before in this process."""
    with _lock:
        random = _draw()
        millisecond, counter = _tick(random >> 64)
    return UUID(int=millisecond << 80 | _VERSION | counter << 64 | _VARIANT | random & _RANDOM_MASK)


def _draw() -> int:
    """Return 80 random bits; one call of the system is enough for many."""
    if not _drawn:
        drawn = os.urandom(_DRAWN_AT_ONCE * _RANDOM_BYTES)
        starts = range(0, len(drawn), _RANDOM_BYTES)
        _drawn.extend(int.from_bytes(drawn[start : start + _RANDOM_BYTES]) for start in starts)
    return _drawn.pop()


def _tick(seed: int) -> tuple[int, int]:
    global _millisecond, _counter  # noqa: PLW0603 - the sequence of this process
    now = time.time_ns() // 1_000_000
    if now > _millisecond:
        _millisecond, _counter = now, seed & _COUNTER_SEED_MASK
    else:
        _counter += 1
        if _counter == _COUNTER_END:
            _millisecond, _counter = _millisecond + 1, seed & _COUNTER_SEED_MASK
    return _millisecond, _counter


def _forget_after_fork() -> None:
    """Draw anew in a forked child, which would repeat its parent's ids; the parent may hold the lock."""
    globals().update(_lock=threading.Lock(), _drawn=[])


os.register_at_fork(after_in_child=_forget_after_fork)
