"""Texts that would break, colour, reorder or flood a line."""

from __future__ import annotations

FAKE = "2026-01-01 00:00:00,000 ERROR   soniq_sa: all is lost"

TEXTS = {
    "line feed": f"one\n{FAKE}",
    "carriage return": f"one\r{FAKE}",
    "both": f"one\r\n{FAKE}",
    "vertical tab and form feed": f"one\v{FAKE}\f{FAKE}",
    "separators of ASCII": f"one\x1c{FAKE}\x1d{FAKE}\x1e{FAKE}",
    "next line of Latin-1": f"one\x85{FAKE}",
    "separators of Unicode": f"one\u2028{FAKE}\u2029{FAKE}",
    "colours": "\x1b[31mred\x1b[0m",
    "cursor": "\x1b[2J\x1b[1;1Hgone",
    "title of the window": "\x1b]0;mine\x07",
    "one-byte sequence": "\x9b31mred",
    "bell and backspace": "paid\x08\x08\x08\x08owed\x07",
    "right to left": "\u202egpj.exe",
    "isolates": "\u2066hidden\u2069",
    "zero width": "pay\u200bload\ufeff",
    "tag characters": "ok\U000e0041\U000e0042",
    "lone surrogate": "half \ud800 a pair",
    "percent signs": "%s %(name)s %d 100%",
    "braces": "{0} {event} {{}}",
    "too long": "x" * 1_000_000,
}

STORABLE = {name: text for name, text in TEXTS.items() if name != "lone surrogate"}
"""Those that PostgreSQL takes."""

_LONGEST = 20_000


def assert_tame(text: str) -> None:
    """Say that every character is printed, but for the ends of lines that ``text`` has."""
    for line in text.split("\n"):
        assert line.isprintable(), ascii(line)[:500]
        assert len(line) < _LONGEST
        assert not line.startswith("2026-01-01 00:00:00"), line
