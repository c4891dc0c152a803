"""Text that others wrote, on a line of a log or of a terminal.

Task names, queues, reasons and errors may come from rows that anybody inserted. A line feed in them would
begin another line, an escape sequence would colour or overwrite what stands there, and a character that
turns the direction of writing would show it in another order.
"""

from __future__ import annotations

LONGEST_LINE = 2_000
"""Characters of a line in a log."""


def one_line(text: str, longest: int | None = None) -> str:
    """Return ``text`` with each character that is not printed written out, as in a string literal.

    longest: The most characters; a longer text is cut in the middle. Default: as many as it has.
    """
    if longest is not None and len(text) > longest:
        half = longest // 2
        text = f"{text[:half]} … {len(text) - 2 * half} characters left out … {text[-half:]}"
    if text.isprintable():
        return text
    return "".join(
        character if character.isprintable() else ascii(character)[1:-1] for character in text
    )


def each_on_its_line(text: str) -> str:
    """Return ``text`` with the lines that it has, each as `one_line` writes it."""
    return "\n".join(map(one_line, text.splitlines()))


def record(message: str, trace: str = "") -> str:
    """Return what is logged of an event: one line, and below it a traceback, marked line by line."""
    below = (f"    | {one_line(line, LONGEST_LINE)}" for line in trace.splitlines())
    return "\n".join([one_line(message, LONGEST_LINE), *below])
