"""Dead letters as people read them on a terminal."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Iterable, Sequence
from datetime import datetime

from soniq_sa.dead_letters import DeadLetter, DeadLetterStats
from soniq_sa.dead_letters.export import plain
from soniq_sa.lines import one_line

_NAMES = ("ID", "TASK", "QUEUE", "DEAD SINCE", "REASON", "REPLAYS", "ERROR")
_LONGEST_CELL = 40
_NARROWEST_ERROR = 20
_PIPED_WIDTH = 200


def table_of(letters: Sequence[DeadLetter]) -> str:
    """Return a line for each letter, no wider than the terminal."""
    rows = [_NAMES, *map(_cells, letters)]
    widths = [max(map(len, column)) for column in list(zip(*rows, strict=True))[:-1]]
    room = max(_width() - sum(widths) - 2 * len(widths), _NARROWEST_ERROR)
    return "\n".join(
        "  ".join([*map(str.ljust, row, widths), _cut(row[-1], room)]).rstrip() for row in rows
    )


def _cells(letter: DeadLetter) -> tuple[str, ...]:
    """Return the cells of one letter; the last line of a traceback says what was raised."""
    lines = (letter.error or "").strip().splitlines()
    texts = (letter.task, letter.queue, time_text(letter.finished_at), letter.reason or "")
    short = (_cut(one_line(text), _LONGEST_CELL) for text in texts)
    return (
        str(letter.id),
        *short,
        str(letter.replays),
        one_line(lines[-1].strip()[:1000] if lines else ""),
    )


def _width() -> int:
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else _PIPED_WIDTH


def page_of(letter: DeadLetter) -> str:
    """Return all of one letter."""
    facts = {
        "id": str(letter.id),
        "task": letter.task,
        "queue": letter.queue,
        "priority": str(letter.priority),
        "attempts": f"{letter.attempts} of {letter.max_attempts}",
        "enqueued": time_text(letter.created_at),
        "dead since": time_text(letter.finished_at),
        "reason": letter.reason or "",
        "replays": str(letter.replays),
        "replay of": str(letter.replay_of or ""),
        "tags": ", ".join(letter.tags),
        "headers": _json(letter.headers) if letter.headers else "",
        **{name: _json(value) for name, value in letter.columns.items()},
        "args": _json(letter.args),
    }
    lines = [f"{name + ':':<12}{one_line(text)}".rstrip() for name, text in facts.items() if text]
    error = [f"  {one_line(line)}".rstrip() for line in (letter.error or "").splitlines()]
    return "\n".join([*lines, "error:", *error])


def stats_text(stats: DeadLetterStats) -> str:
    """Return the numbers."""
    head = f"{stats.total} dead letters, {stats.replayed} of them replayed"
    if stats.oldest and stats.newest:
        head += f", dead since {time_text(stats.oldest)} to {time_text(stats.newest)}"
    groups = {"reason": stats.by_reason, "task": stats.by_task, "queue": stats.by_queue}
    lines = [
        f"{number:>8}  {_cut(one_line(name or 'none'), _LONGEST_CELL)}"
        if line
        else f"\nby {title}:\n{number:>8}  {_cut(one_line(name or 'none'), _LONGEST_CELL)}"
        for title, group in groups.items()
        for line, (name, number) in enumerate(group.items())
    ]
    return "\n".join([f"{head}.", *lines])


def time_text(time: datetime | None) -> str:
    """Return a time to the second, with its offset."""
    return "" if time is None else time.isoformat(" ", "seconds")


def _json(value: object) -> str:
    return json.dumps(plain(value), ensure_ascii=False)


def _cut(text: str, width: int) -> str:
    return text if len(text) <= width else f"{text[: width - 1]}…"


def some_of(letters: Iterable[DeadLetter], total: int) -> str:
    """Return the first letters of ``total``, and how many are not shown."""
    shown = list(letters)
    rest = total - len(shown)
    return table_of(shown) + (f"\n… and {rest} more." if rest > 0 else "")
