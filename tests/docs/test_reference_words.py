"""What the reference takes out of docstrings, annotations and signatures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Literal, TypedDict

import pytest

from docs.src.reference.docstring import as_markdown, read_docstring
from docs.src.reference.links import homes_of, linked
from docs.src.reference.options import option_table, split_default, split_read
from docs.src.reference.signatures import signatures
from docs.src.reference.type_words import type_words
from soniq_sa import JobState
from soniq_sa.options import Seconds


class Example:
    """Do something.

    first, second: Numbers, written
        on two lines.
    third: A ``code`` and a `JobState`.

    More: not an entry, since
    its second line is not indented.

    Example::

        one()

        two()
    """


class Options(TypedDict, total=False):
    """Options.

    size: How large, read at enqueue. Default 5; more is slower.
    end: When to end. Read at run time.
    """

    size: int
    end: datetime | None


def test_names_with_a_text_are_entries_and_all_else_are_blocks() -> None:
    found = read_docstring(Example)
    assert found.entries == {
        "first": "Numbers, written on two lines.",
        "second": "Numbers, written on two lines.",
        "third": "A `code` and a [`JobState`][].",
    }
    assert found.blocks == (
        "Do something.",
        "More: not an entry, since its second line is not indented.",
        "```python\none()\n\ntwo()\n```",
    )


def test_code_that_is_no_name_is_no_reference() -> None:
    assert (
        as_markdown("`alembic upgrade head` or ``a `b` c``")
        == "`alembic upgrade head` or `a `b` c`"
    )


@pytest.mark.parametrize(
    ("text", "default", "rest"),
    [
        ("How many. Default 5.", "5", "How many."),
        ("How many. Default 0.5; less is better.", "0.5", "How many. Less is better."),
        ("Where. Default: the task's (100). See there.", "the task's (100)", "Where. See there."),
        ('Which. Default ``"a.b"``.'.replace("``", "`"), '`"a.b"`', "Which."),
        ("How many.", "", "How many."),
    ],
)
def test_a_default_is_taken_out_of_a_text(text: str, default: str, rest: str) -> None:
    assert split_default(text) == (default, rest)


@pytest.mark.parametrize(
    ("text", "read", "rest"),
    [
        ("How many, read at enqueue. More.", "at enqueue", "How many. More."),
        ("How many. Read at run time. More.", "at run time", "How many. More."),
        ("Checked. Read at enqueue and at run time.", "at enqueue and at run time", "Checked."),
        ("How long, read when it ends; else.", "when it ends", "How long; else."),
    ],
)
def test_the_time_of_reading_is_taken_out_of_a_text(text: str, read: str, rest: str) -> None:
    assert split_read(text) == (read, rest)


def test_a_table_of_options_has_a_column_for_what_is_said() -> None:
    assert option_table(Options).splitlines() == [
        "| option | takes | default | read | meaning |",
        "| --- | --- | --- | --- | --- |",
        "| `size` | whole number | 5 | at enqueue | How large. More is slower. |",
        "| `end` | aware `datetime` or `None` | `None` | at run time | When to end. |",
    ]


@pytest.mark.parametrize(
    ("hint", "words"),
    [
        (int, "whole number"),
        (Seconds, "seconds or `timedelta`"),
        (float | None, "number or `None`"),
        (datetime | Seconds, "seconds, `timedelta` or aware `datetime`"),
        (float | timedelta | Sequence[float | timedelta], "seconds, `timedelta` or list of those"),
        (bool | None, "`True`, `False` or `None`"),
        (tuple[str, ...], "tuple of text"),
        (Mapping[str, Any], "`dict` of text to anything"),
        (Literal["csv", "json"], '`"csv"`, `"json"`'),
        (type[BaseException], "exception class"),
        (JobState, "[`JobState`][]"),
    ],
)
def test_a_type_is_said_in_words_without_a_bar(hint: Any, words: str) -> None:
    assert type_words(hint) == words


async def short(session: int, /, *names: str, limit: int = 5) -> JobState: ...


def long_one(delay: Seconds, *, reason_of_the_change: str | None = None, name: str = "é") -> None:
    """Have a signature of more than one line."""


def test_a_signature_is_written_as_in_the_source() -> None:
    assert signatures("short", short) == (
        "```python\nasync def short(session: int, /, *names: str, limit: int = 5) -> JobState\n```"
    )


def test_a_long_signature_has_a_line_for_each_parameter_and_other_types_spelt_out() -> None:
    assert signatures("long_one", long_one).splitlines()[1:-1] == [
        "def long_one(",
        "    delay: float | timedelta,",
        "    *,",
        "    reason_of_the_change: str | None = None,",
        '    name: str = "é",',
        ") -> None",
    ]


def test_a_reference_becomes_a_link_where_the_name_has_a_heading() -> None:
    page, other = Path("reference/page.md"), Path("reference/other.md")
    homes = homes_of("# Page\n\n## `Worker.stop`\n\n### C01 MixinOrderError\n", page)
    assert homes["Worker.stop"] == (page, "workerstop")
    text = "[`stop`][Worker.stop] [`soniq_sa.models.MixinOrderError`][] [`Unknown`][]"
    assert linked(text, other, homes) == (
        "[`stop`](page.md#workerstop) [`MixinOrderError`](page.md#c01-mixinordererror) `Unknown`"
    )
    assert linked("[`Worker.stop`][]", page, homes) == "[`Worker.stop`](#workerstop)"
