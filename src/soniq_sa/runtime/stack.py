"""Where a thread is, as a traceback that begins with the handler."""

from __future__ import annotations

import sys
import traceback
from pathlib import Path

_RUNTIME = str(Path(__file__).parent)


def stack_of(thread: int) -> str:
    """Return the stack of another thread, without the frames of the event loop and of the worker."""
    frame = sys._current_frames().get(thread)  # noqa: SLF001 # pyright: ignore[reportPrivateUsage] - there is no other way
    if frame is None:
        return ""
    frames = traceback.extract_stack(frame)
    own = [index for index, one in enumerate(frames) if one.filename.startswith(_RUNTIME)]
    begin = _end_of_run(own) if own else 0
    return "".join(traceback.format_list(frames[begin:] or frames)).rstrip()


def _end_of_run(indices: list[int]) -> int:
    """Return the number behind the first run of consecutive numbers."""
    end = indices[0]
    while end in indices:
        end += 1
    return end
