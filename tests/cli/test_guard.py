"""What a guard does with what it hears, without a worker and in a time of the test's own."""

from __future__ import annotations

import logging
import os
import signal
import socket
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from soniq_sa.cli.guard import asking, worker_end
from soniq_sa.cli.guard.hearing import Hearing
from soniq_sa.cli.guard.process import GuardProcess, message
from soniq_sa.cli.guard.stacks import Dump

HANDLER = b"""Stack (most recent call first):
  File "/srv/jobs.py", line 30 in render
"""
ELSEWHERE = b"""Stack (most recent call first):
  File "/usr/lib/python3.11/selectors.py", line 468 in select
"""
ABOUT = {
    "names": [["/srv/jobs.py", "render", "shop.render", 0.0]],
    "longest": 300.0,
    "log_level": "warning",
    "supervised": False,
    "drain_timeout": 30.0,
    "beat_every": 5.0,
    "app": None,
    "lease": 15.0,
    "retention": None,
}
Pipes = dict[str, tuple[int, int]]


@pytest.fixture
def pipes() -> Iterator[Pipes]:
    """Return pipes by what they carry, each as the end to read and the end to write."""
    made = {name: os.pipe() for name in ("pulses", "stacks", "told")}
    for read, write in made.values():
        os.set_blocking(read, False)
        os.set_blocking(write, False)
    yield made
    for ends in made.values():
        for end in ends:
            os.close(end)


@pytest.fixture
def signals() -> Iterator[tuple[socket.socket, socket.socket]]:
    """Return the ends of the socket for signals, to read and to write."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield ours, theirs


@pytest.fixture
def hearing(pipes: Pipes, signals: tuple[socket.socket, socket.socket]) -> Hearing:
    """Return what a guard hears with, which hears nothing by itself."""
    return Hearing(os.getppid(), pipes["pulses"][0], pipes["stacks"][0], signals[0])


@pytest.fixture
def guard(pipes: Pipes, signals: tuple[socket.socket, socket.socket]) -> GuardProcess:
    """Return a guard that knows of its worker what it has to, and hears nothing by itself."""
    read = pipes["pulses"][0], pipes["stacks"][0]
    made = GuardProcess(os.getppid(), *read, signals[0], pipes["told"][1])
    made.heard.about = dict(ABOUT)
    vars(made)["_stand_in"] = None  # it has no application
    return made


def hear(guard: GuardProcess, at: float, *dumps: Dump) -> None:
    """Have stacks come at a time, because a pulse has been missed since a second before."""
    heard = guard.heard
    heard.pulse_at = heard.silent_since = at - 1
    heard.dumps, heard.dump_at, heard.runs_at = list(dumps), at, at


def test_stacks_are_judged_when_no_further_one_has_come(
    guard: GuardProcess, caplog: pytest.LogCaptureFixture
) -> None:
    hear(guard, 10, Dump(ELSEWHERE, busy=False, main=False))
    guard.judge(10.05)
    assert guard.hold is None
    hear(guard, 10.09, Dump(ELSEWHERE, busy=False, main=False), Dump(HANDLER, busy=True, main=True))
    guard.judge(10.12)
    assert guard.hold is None
    guard.judge(10.2)
    assert guard.hold is not None
    assert guard.hold.limit == float("inf")
    assert "shop.render keeps Python's lock" in caplog.text


def test_stacks_after_which_python_has_run_are_not_judged(guard: GuardProcess) -> None:
    hear(guard, 10, Dump(HANDLER, busy=True, main=True))
    guard.heard.pulse_at = 10.1
    guard.judge(10.3)
    assert guard.hold is None


def test_stacks_that_came_while_the_lock_was_held_are_not_judged_again(
    guard: GuardProcess, caplog: pytest.LogCaptureFixture
) -> None:
    hear(guard, 10, Dump(HANDLER, busy=True, main=True))
    guard.judge(10.2)
    guard.heard.dump_at = 10.3  # a thread that could not answer before
    guard.heard.pulse_at = guard.heard.back_at = 10.4
    guard.judge(10.5)
    assert guard.hold is None
    guard.heard.pulse_at = 10.2
    guard.judge(12)
    assert caplog.text.count("keeps Python's lock") == 1


def test_a_stack_that_comes_after_a_pulse_answers_nothing(pipes: Pipes, hearing: Hearing) -> None:
    hearing.asked_at, hearing.pulse_at = 10.0, 10.5
    os.write(pipes["stacks"][1], HANDLER)
    assert hearing.hear()
    assert (hearing.dumps, hearing.dump_at) == ([], 0.0)
    hearing.asked_at = 11.0
    os.write(pipes["stacks"][1], HANDLER)
    assert hearing.hear()
    assert hearing.dumps == [Dump(HANDLER, busy=False, main=False)]
    assert hearing.misses_pulse


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_counts_once_before_and_after_the_worker_has_taken_it(
    pipes: Pipes,
    signals: tuple[socket.socket, socket.socket],
    hearing: Hearing,
    number: signal.Signals,
) -> None:
    signals[1].send(bytes([number, signal.SIGCHLD, number]))
    hearing.hear()
    first = hearing.signals_at
    assert len(first) == 2
    hearing.hear()
    assert hearing.signals_at == first
    signals[0].recv(2)
    os.write(pipes["pulses"][1], b"s\n")
    hearing.hear()
    assert len(hearing.signals_at) == 2
    assert hearing.pulse_at == 0.0


def test_a_guard_that_hears_no_more_ends(
    guard: GuardProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_heard: Hearing) -> None:
        raise RuntimeError("unforeseen")

    monkeypatch.setattr(Hearing, "_listen", fail)
    monkeypatch.setattr(threading, "excepthook", lambda _: None)
    guard.run()
    guard.heard.until_end()
    assert not guard.heard.listens


@pytest.mark.parametrize("stack", ["x" * 100_000, "\U0001f680" * 100_000, "\x1b" * 100_000, ""])
def test_a_message_to_the_worker_fits_into_its_pipe(pipes: Pipes, stack: str) -> None:
    line = message(1.5, "shop.render", 2.0, stack)
    assert len(line) <= 16_000
    event: Any = worker_end.read_told(line)
    assert event[0] == 1.5
    assert event[1].task == "shop.render"
    assert stack.startswith(event[1].stack)
    assert os.write(pipes["told"][1], line) == len(line)


@pytest.mark.parametrize("line", [b"", b'[1.5, {"task": ', b"[1.5]", b"7", b'[1.5, {"other": 1}]'])
def test_a_message_that_is_not_whole_is_left_out(line: bytes) -> None:
    assert worker_end.read_told(line) is None


def test_where_there_can_be_no_guard_a_line_says_so(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(worker_end, "can_ask", lambda: False)
    with caplog.at_level(logging.INFO):
        assert worker_end.start_guard() is None
    assert "this worker has no guard process" in caplog.text
    assert "SONIQ_SA_GUARD=false" in caplog.text


@pytest.mark.skipif(not asking.can_ask(), reason="needs Linux")
def test_a_thread_is_asked_by_the_system_call_where_the_library_has_no_function(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Library:
        def __init__(self, real: Any) -> None:
            self.syscall = real.syscall

    real = asking.ctypes.CDLL(None)
    monkeypatch.setattr(asking.ctypes, "CDLL", lambda _: Library(real))
    assert asking.can_ask()
    came: list[int] = []
    before = asking.signal.signal(asking.STACK_SIGNAL, lambda number, _: came.append(number))
    try:
        asking.ask_where(os.getpid(), asking.threads_of(os.getpid())[-1])
        assert came == [asking.STACK_SIGNAL]
    finally:
        asking.signal.signal(asking.STACK_SIGNAL, before)
