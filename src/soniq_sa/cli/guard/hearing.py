"""What a guard hears of its worker."""

from __future__ import annotations

import json
import os
import select
import socket
import threading
import time
from typing import Any
from uuid import UUID

from soniq_sa.cli.guard.asking import ask_where, busy_among, is_stopped, threads_of
from soniq_sa.cli.guard.stacks import Dump
from soniq_sa.cli.guard.wakeups import unread

_CHUNK = 1 << 20
_MISSED = 1.0
"""Seconds without a pulse after which the threads are asked where they are."""
_RUNNING = 0.5
"""Seconds for which a process that was stopped has run again, without a pulse, before it is asked. If this
one could not run for so long, neither could the worker, perhaps: both were frozen, or starved."""
_ANSWER, _PATIENCE, _PAUSE = 0.02, 0.4, 0.003
"""Seconds for the begin of a thread's answer, for those of all threads together, and of silence after which
an answer is whole: so that threads do not write into each other's lines, and each answer has its thread."""
_WATCH, _LOOK = 0.25, 5.0
"""Seconds between two looks, if nothing is heard: while pulses are expected, and otherwise."""


class Hearing:
    """Reads the pipes that come from the worker; times are those of ``time.monotonic``.

    In a thread, because the main one is away while it loads the application. When the worker has ended,
    it ends the process.
    """

    def __init__(self, worker: int, pulses: int, stacks: int, signals: socket.socket) -> None:
        """Take over the process id of the worker, the ends of the pipes, and that of its `Wakeups`."""
        self.about: dict[str, Any] = {}
        self.worker_id: UUID | None = None
        self.pulse_at = self.dump_at = self.runs_at = self.back_at = 0.0
        self.dumps: list[Dump] = []
        self._taken_at: list[float] = []
        self._unread_at: list[float] = []
        self.news = threading.Event()
        self._worker = worker
        self._pulses, self._stacks, self._signals = pulses, stacks, signals
        self._begun_line = b""
        self.listens = True
        self._expects_pulse = False
        self.asked_at = self._idle_at = self.silent_since = 0.0
        self._thread = threading.Thread(target=self._run, name="hearing", daemon=True)

    @property
    def misses_pulse(self) -> bool:
        """Tell whether stacks have come, and no pulse after them."""
        return self.dump_at > self.pulse_at

    @property
    def signals_at(self) -> list[float]:
        """Return when the worker was asked to stop by signals, those that it has taken and those it has not."""
        return self._taken_at + self._unread_at

    def worker_lives(self) -> bool:
        """Tell it from the parent: a process that a handler has forked may keep the pipes open."""
        return os.getppid() == self._worker

    def start(self) -> None:
        """Begin to listen."""
        self._thread.start()

    def until_end(self) -> None:
        """Wait until the worker has ended, which ends this process."""
        self._thread.join()

    def _run(self) -> None:
        try:
            self._listen()
        finally:  # it has failed: then this process is of no use any more
            self.listens = False
            self.news.set()

    def _listen(self) -> None:
        poll = select.poll()
        for descriptor in (self._pulses, self._stacks):
            os.set_blocking(descriptor, False)
            poll.register(descriptor, select.POLLIN)
        rested_at, wait = time.monotonic(), 0.0
        while self.worker_lives() and self.hear():
            now = time.monotonic()
            if now - rested_at > wait + _RUNNING:
                self._idle_at = now
            self._ask(now)
            rested_at, wait = time.monotonic(), _WATCH if self._expects_pulse else _LOOK
            poll.poll(wait * 1000)
        os._exit(0)

    def _ask(self, now: float) -> None:
        """Ask where the threads are, if a pulse is missed, until they say it: that may interrupt what they do."""
        if not self._expects_pulse or is_stopped(self._worker):
            self._idle_at = now
            return
        if now - self.pulse_at < _MISSED or now - self._idle_at < _RUNNING:
            return
        if self.misses_pulse:
            self.runs_at = now
        elif now - self.asked_at >= _MISSED:
            self.asked_at, self.silent_since = now, self.pulse_at
            self._ask_threads()

    def _ask_threads(self) -> None:
        """Have one thread after the other write its stack, and note which of them were busy."""
        threads = threads_of(self._worker)
        busy, ends = busy_among(self._worker, threads), time.monotonic() + _PATIENCE
        dumps = []
        for thread in threads:
            ask_where(self._worker, thread)
            if text := self._answer(_ANSWER if time.monotonic() < ends else _PAUSE):
                dumps.append(Dump(text, busy=thread in busy, main=thread == self._worker))
        if dumps:
            self.dumps = dumps
            self._note_stacks(time.monotonic())

    def _answer(self, patience: float) -> bytes:
        """Return what comes within ``patience`` seconds, to its end."""
        poll = select.poll()
        poll.register(self._stacks, select.POLLIN)
        answer = b""
        while poll.poll(1000 * (_PAUSE if answer else patience)) and (more := _read(self._stacks)):
            answer += more
        return answer

    def _note_stacks(self, now: float) -> None:
        self.dump_at = self.runs_at = now
        self.news.set()

    def hear(self) -> bool:
        """Take what has come; return False at the worker's end.

        Pulses are read after stacks, as the better news: they count as the later ones. Signals are looked for
        after that, so that one which the worker takes meanwhile is not counted twice.
        """
        now = time.monotonic()
        late = _read(self._stacks)
        if late and self.asked_at > self.pulse_at:  # else it answers a question that is settled
            self.dumps = [*self.dumps, Dump(late, busy=False, main=False)]
            self._note_stacks(now)
        said = _read(self._pulses)
        *lines, self._begun_line = (self._begun_line + (said or b"")).split(b"\n")
        for line in lines:
            self._take(line, now)
        self._look_for_signals(now)
        return said != b""

    def _look_for_signals(self, now: float) -> None:
        if (number := unread(self._signals)) != len(self._unread_at):
            self._unread_at = (self._unread_at + number * [now])[:number]
            self.news.set()

    def _take(self, line: bytes, now: float) -> None:
        if line.startswith(b"{"):
            self.about = json.loads(line)
            return
        if line.startswith(b"s"):
            self._taken_at = [*self._taken_at, now]
            return
        if self.misses_pulse:
            self.back_at = now
            self.news.set()
        self.pulse_at = now
        self._expects_pulse = line.startswith(b"p")
        if self._expects_pulse:
            self.worker_id = UUID(line[1:].decode())


def _read(descriptor: int) -> bytes | None:
    """Return what is there; None if there is nothing yet, nothing at the end."""
    try:
        return os.read(descriptor, _CHUNK)
    except BlockingIOError:
        return None
