"""What a guard hears of its worker."""

from __future__ import annotations

import json
import os
import select
import threading
import time
from typing import Any
from uuid import UUID

from soniq_sa.cli.guard.asking import ask_where, is_stopped

_CHUNK = 1 << 20
_SIGNAL = b"Stack (most recent call first)"
"""What is written once at each signal."""
_MISSED = 1.0
"""Seconds without a pulse after which the threads are asked where they are."""
_RUNNING = 0.5
"""Seconds for which a process that was stopped has run again, without a pulse, before it is asked."""
_WATCH, _LOOK = 0.25, 5.0
"""Seconds between two looks, if nothing is heard: while pulses are expected, and otherwise."""


class Hearing:
    """Reads the pipes that come from the worker; times are those of ``time.monotonic``.

    In a thread, because the main one is away while it loads the application. When the worker has ended,
    it ends the process.
    """

    def __init__(self, worker: int, pulses: int, stacks: int, signals: int) -> None:
        """Take over the process id of the worker, and the ends of the pipes."""
        self.about: dict[str, Any] = {}
        self.worker_id: UUID | None = None
        self.pulse_at = self.dump_at = self.runs_at = self.back_at = 0.0
        self.dump = b""
        self.signals_at: list[float] = []
        self.news = threading.Event()
        self._worker = worker
        self._pulses, self._stacks, self._signals = pulses, stacks, signals
        self._begun_line = b""
        self._expects_pulse = False
        self._asked_at = self._idle_at = self.silent_since = 0.0
        self._thread = threading.Thread(target=self._run, name="hearing", daemon=True)

    @property
    def misses_pulse(self) -> bool:
        """Tell whether stacks have come, and no pulse after them."""
        return self.dump_at > self.pulse_at

    def worker_lives(self) -> bool:
        """Tell it from the parent: a process that a handler has forked may keep the pipes open."""
        return os.getppid() == self._worker

    def start(self) -> None:
        """Begin to listen."""
        self._thread.start()

    def until_end(self) -> None:
        """Wait until the worker has ended; does not return."""
        self._thread.join()

    def _run(self) -> None:
        poll = select.poll()
        for descriptor in (self._pulses, self._stacks, self._signals):
            os.set_blocking(descriptor, False)
            poll.register(descriptor, select.POLLIN)
        while self.worker_lives() and self._hear():
            poll.poll((_WATCH if self._expects_pulse else _LOOK) * 1000)
            self._ask(time.monotonic())
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
        elif now - self._asked_at >= _MISSED:
            self.dump, self._asked_at, self.silent_since = b"", now, self.pulse_at
            ask_where(self._worker)

    def _hear(self) -> bool:
        """Take what has come; return False at the worker's end.

        Pulses are read last, as the better news: they count as the later ones.
        """
        now = time.monotonic()
        if dump := _read(self._stacks):
            self.dump += dump
            self.dump_at = self.runs_at = now
            self.news.set()
        if signals := _read(self._signals):
            self.signals_at += [now] * signals.count(_SIGNAL)
            self.news.set()
        said = _read(self._pulses)
        *lines, self._begun_line = (self._begun_line + (said or b"")).split(b"\n")
        for line in lines:
            self._take(line, now)
        return said != b""

    def _take(self, line: bytes, now: float) -> None:
        if line.startswith(b"{"):
            self.about = json.loads(line)
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
