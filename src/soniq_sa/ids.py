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

_lock = threading.Lock()
_millisecond = 0
_counter = 0


def uuid7() -> UUID:
    """Return a UUIDv7 greater than every one returned before in this process."""
    random = int.from_bytes(os.urandom(10))
    with _lock:
        millisecond, counter = _tick(random >> 64)
    return UUID(int=millisecond << 80 | _VERSION | counter << 64 | _VARIANT | random & _RANDOM_MASK)


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


os.register_at_fork(after_in_child=lambda: globals().update(_lock=threading.Lock()))
