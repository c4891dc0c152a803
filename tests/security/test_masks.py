"""Secrets are hidden whole, wherever a text is cut, and at a cost that grows with its length alone."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from soniq_sa.events import JobFailed
from soniq_sa.masks import MASK
from soniq_sa.redaction import DEFAULT_REDACTION
from soniq_sa.runtime.failure import MAX_ERROR_CHARACTERS
from tests.runtime.bench import Bench
from tests.security.leaks import SECRET

LONGEST = 1_000
HALF = LONGEST // 2
DOCUMENT = json.dumps({"api_key": SECRET, "token": SECRET * 3})
QUOTED = {
    "a secret": (SECRET, SECRET),
    "a longer one": (SECRET * 3, SECRET),
    "a URL": (f"postgresql://shop:{SECRET}@db/shop", SECRET),
    "a connection string": (f"host=db password={SECRET} user=shop", SECRET),
    "a row": (f"Failing row contains ({SECRET[::-1]}).", SECRET[::-1]),
    "a key": (f"Key (lower(password))=({SECRET[::-1]}) already exists.", SECRET[::-1]),
    "a value": (f'invalid input syntax for type integer: "{SECRET[::-1]}"', SECRET[::-1]),
    "a value on two lines": (f'invalid input x: "a\n{SECRET[::-1]}"', SECRET[::-1]),
}


@pytest.mark.parametrize(("quoted", "secret"), QUOTED.values(), ids=QUOTED)
def test_no_part_of_a_secret_is_left_at_a_cut(quoted: str, secret: str) -> None:
    parts = {secret[i : i + 6] for i in range(len(secret) - 5)}
    for place in range(-len(quoted) - 1, 2):
        for begin in (HALF + place, 3 * LONGEST - HALF + place):
            text = f"{'-' * begin}\n{quoted}\n".ljust(3 * LONGEST, "-")[: 3 * LONGEST]
            found = DEFAULT_REDACTION.scrub(text, DOCUMENT, longest=LONGEST)
            assert not {one for one in parts if one in found}, (place, found)
            assert f"… {2 * LONGEST} characters left out …" in found


def test_a_text_that_is_not_too_long_is_not_cut() -> None:
    text = f"{'-' * (LONGEST - len(SECRET))}{SECRET}"
    found = DEFAULT_REDACTION.scrub(text, DOCUMENT, longest=LONGEST)
    assert found == f"{'-' * (LONGEST - len(SECRET))}{MASK}"


def test_characters_that_mean_something_to_the_masks_are_no_masks() -> None:
    assert DEFAULT_REDACTION.scrub("a\ufdd0\ufdd1\ufdd2b") == "a\ufffd\ufffd\ufffdb"


async def test_a_secret_at_the_cut_of_a_recorded_error_is_replaced(bench: Bench) -> None:
    @bench.task(retries=0)
    async def task(api_key: str) -> None:
        raise ValueError(f"{'-' * (MAX_ERROR_CHARACTERS // 2 - 400)}{api_key}{'-' * 20_000}")

    key = "".join(f"<{number:04}>" for number in range(200))
    handle = await bench.soniq.enqueue(task, key)
    await bench.run_once()
    error = (await bench.row(handle)).error
    assert "characters left out" in error
    assert MASK in error
    assert "<0000>" not in error


HOSTILE = [
    "a", "a.", "://a:", "://a", "https://a:", "://a:b@", "password='", 'password="', "password =",
    "invalid input ", "invalid input for query argument $1: ", 'value "', 'invalid input x: "', "Key (",
    'value out of range: "', "Failing row contains (", "Key (a)=(", "Key (password)=(", "(a).",
]  # fmt: skip
"""What makes a search begin again and again, or go on to the end in vain."""
LENGTH, CPU_SECONDS = 1 << 18, 60
PROGRAM = f"""
import resource
from soniq_sa.events import JobFailed
from soniq_sa.redaction import DEFAULT_REDACTION

resource.setrlimit(resource.RLIMIT_CPU, ({CPU_SECONDS}, {CPU_SECONDS}))
for hostile in {HOSTILE!r}:
    text = "see https://example.com/errors for " + hostile * ({LENGTH} // len(hostile))
    DEFAULT_REDACTION.scrub(text)
"""


def test_no_text_takes_more_than_its_length_is_worth() -> None:
    """A search that begins again at each place takes an hour for one of these, and keeps Python's lock."""
    done = subprocess.run([sys.executable, "-c", PROGRAM], check=False)
    assert done.returncode == 0, "it has used up its CPU time"


async def test_the_first_line_of_an_error_is_cut_as_well(bench: Bench) -> None:
    @bench.task(retries=0)
    async def task() -> None:
        raise ValueError("e" * 100_000)

    await bench.soniq.enqueue(task)
    await bench.run_once()
    (event,) = bench.events_of(JobFailed)
    assert len(event.failure.summary) <= MAX_ERROR_CHARACTERS + 60
