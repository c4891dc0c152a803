"""Handlers are found in the stacks that the interpreter writes without its lock."""

from soniq_sa.cli.guard.stacks import Named, find

NAMES = {
    ("/srv/jobs.py", "match"): Named("shop.match", 30.0),
    ("/srv/jobs.py", "render"): Named("shop.render", 0.0),
}
LOOP = """Thread 0x00007f15 (most recent call first):
  File "/usr/lib/python3.11/re/__init__.py", line 166 in match
  File "/srv/jobs.py", line 12 in match
  File "/usr/lib/python3.11/asyncio/events.py", line 80 in _run
"""
THREAD = """Thread 0x00007f16 [soniq-sa-handler] (most recent call first):
  File "/srv/jobs.py", line 30 in render
  File "/usr/lib/python3.11/threading.py", line 982 in run

"""
IDLE = """Thread 0x00007f17 (most recent call first):
  File "/usr/lib/python3.11/selectors.py", line 468 in select
"""


def test_a_handler_is_found_in_any_thread_and_its_stack_begins_with_it() -> None:
    found = find(f"0:00:01)!\n{THREAD}{IDLE}", NAMES)
    assert found.names == (Named("shop.render", 0.0),)
    assert found.stack == '  File "/srv/jobs.py", line 30, in render'


def test_the_most_recent_call_comes_last_as_in_a_traceback() -> None:
    found = find(f"0:00:01)!\n{LOOP}", NAMES)
    assert found.stack.splitlines()[0] == '  File "/srv/jobs.py", line 12, in match'
    assert "line 166, in match" in found.stack.splitlines()[1]
    assert "events.py" not in found.stack


def test_of_several_handlers_all_are_named_the_one_on_the_event_loop_first() -> None:
    found = find(f"0:00:01)!\n{THREAD}{LOOP}", NAMES)
    assert found.task == "shop.match, shop.render"


def test_without_a_handler_all_threads_are_shown() -> None:
    found = find(f"0:00:01)!\n{IDLE}", NAMES)
    assert (found.task, found.names) == (None, ())
    assert "in select" in found.stack
