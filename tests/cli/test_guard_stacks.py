"""Handlers are found in the stacks that the interpreter writes without its lock."""

from __future__ import annotations

import faulthandler
import tempfile
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import MetaData

from soniq_sa import Soniq, Worker
from soniq_sa.cli.guard.introduction import introduction
from soniq_sa.cli.guard.stacks import Dump, Named, as_dumped, find
from soniq_sa.models import include_tables

NAMES = {
    ("/srv/jobs.py", "match"): Named("shop.match", 30.0),
    ("/srv/jobs.py", "render"): Named("shop.render", 0.0),
    ("/srv/jobs.py", "fetch"): Named("shop.fetch", 10.0),
}
HEAD = "Stack (most recent call first):\n"
LOOP = f"""{HEAD}  File "/usr/lib/python3.11/re/__init__.py", line 166 in match
  File "/srv/jobs.py", line 12 in match
  File "/usr/lib/python3.11/asyncio/events.py", line 80 in _run
"""
IDLE_LOOP = f"""{HEAD}  File "/usr/lib/python3.11/selectors.py", line 468 in select
"""
THREAD = f"""{HEAD}  File "/srv/jobs.py", line 30 in render
  File "/usr/lib/python3.11/threading.py", line 982 in run
"""
OTHER = f"""{HEAD}  File "/srv/jobs.py", line 40 in fetch
  File "/usr/lib/python3.11/threading.py", line 982 in run
"""


def thread(text: str, *, busy: bool = False) -> Dump:
    """Return what a thread of the pool has written."""
    return Dump(text.encode(), busy=busy, main=False)


def main(text: str, *, busy: bool = False) -> Dump:
    """Return what the main thread has written."""
    return Dump(text.encode(), busy=busy, main=True)


def test_a_handler_is_found_in_any_thread_and_its_stack_begins_with_it() -> None:
    found = find([thread(THREAD), main(IDLE_LOOP)], NAMES)
    assert found.names == (Named("shop.render", 0.0),)
    assert (found.task, found.stack) == ("shop.render", '  File "/srv/jobs.py", line 30, in render')


def test_the_most_recent_call_comes_last_as_in_a_traceback() -> None:
    found = find([main(LOOP)], NAMES)
    assert found.stack.splitlines()[0] == '  File "/srv/jobs.py", line 12, in match'
    assert "line 166, in match" in found.stack.splitlines()[1]
    assert "events.py" not in found.stack


def test_of_several_handlers_the_one_that_is_busy_is_named() -> None:
    found = find([thread(THREAD), thread(OTHER, busy=True), main(IDLE_LOOP)], NAMES)
    assert (found.task, found.blamed) == ("shop.fetch", "shop.fetch")
    assert "render" not in found.stack
    assert {one.task for one in found.names} == {"shop.render", "shop.fetch"}


def test_if_none_is_busy_it_is_the_one_on_the_event_loop() -> None:
    found = find([thread(THREAD), thread(OTHER), main(LOOP)], NAMES)
    assert found.task == "shop.match"


@pytest.mark.parametrize("busy", [True, False])
def test_if_it_may_be_any_of_several_none_is_blamed(*, busy: bool) -> None:
    found = find([thread(THREAD, busy=busy), thread(OTHER, busy=busy), main(IDLE_LOOP)], NAMES)
    assert (found.task, found.blamed) == (None, "one of shop.fetch, shop.render")


def test_several_jobs_of_one_task_are_one_name() -> None:
    assert find([thread(THREAD), thread(THREAD)], NAMES).task == "shop.render"


def test_without_a_handler_all_threads_are_shown() -> None:
    found = find([main(IDLE_LOOP)], NAMES)
    assert (found.task, found.names, found.blamed) == (None, (), "something that is not a handler")
    assert "in select" in found.stack


def written_by(function: Callable[..., Any]) -> Dump:
    """Return the stack of this thread while a function runs that calls what it is given."""
    with tempfile.TemporaryFile() as file:
        function(lambda: faulthandler.dump_traceback(file, all_threads=False))
        file.seek(0)
        return main(file.read().decode("ascii"))


@pytest.mark.parametrize(
    ("file", "name"),
    [
        ("/srv/j\xf6rg/jobs.py", "run"),
        ("/srv/\u6771/\U0001f680.py", "g\xfcltig"),
        ("/" + "x" * 900, "run"),
    ],
    ids=["umlaut", "beyond", "long"],
)
def test_a_handler_is_found_whatever_its_file_and_its_function_are_called(
    file: str, name: str
) -> None:
    made: dict[str, Any] = {}
    exec(compile(f"def {name}(write): write()", file, "exec"), made)  # noqa: S102 - ours
    names = {(as_dumped(file), as_dumped(name)): Named("shop.run", 1.0)}
    found = find([written_by(made[name])], names)
    assert found.task == "shop.run"
    assert f"in {name}" in found.stack
    assert file[:400] in found.stack


@pytest.mark.parametrize(("timeout", "longest"), [(0, 0), (4000, 4000), (10, 300)])
def test_if_no_handler_is_found_the_lease_is_renewed_for_as_long_as_any_may_take(
    timeout: float, longest: float
) -> None:
    metadata = MetaData()
    include_tables(metadata)
    soniq = Soniq(metadata)

    @soniq.job(name="usual")
    def usual() -> None: ...

    @soniq.job(name="other", timeout=timeout)
    def other() -> None: ...

    about = introduction(Worker(soniq), None)
    assert about["longest"] == longest
    assert [name for _, _, name, _ in about["names"]] == ["usual", "other"]
