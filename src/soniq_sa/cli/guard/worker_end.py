"""The worker's end: pulses, stacks and signals for the guard, and what it has to tell."""

from __future__ import annotations

import faulthandler
import fcntl
import json
import logging
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from typing import Any
from uuid import UUID

from soniq_sa.cli.guard.asking import STACK_SIGNAL, can_ask
from soniq_sa.cli.guard.wakeups import Wakeups
from soniq_sa.events import LoopBlocked
from soniq_sa.runtime.stops import SIGNALS

_log = logging.getLogger("soniq_sa")

_BLOCKED = {*SIGNALS, signal.SIGHUP}
_ROOM = 1 << 20
"""Bytes for the stacks of very many threads, where the system has so much for a pipe."""
_END_GRACE = 0.5


def start_guard() -> WorkerEnd | None:
    """Start a guard for this process; None where there can be none, or if the system refuses."""
    if not can_ask():
        _log.info(
            "this worker has no guard process, which needs Linux: a handler that keeps Python's lock (GIL) for "
            "longer than the lease loses its jobs to other workers. SONIQ_SA_GUARD=false asks for none"
        )
        return None
    try:
        return WorkerEnd()
    except OSError as error:
        _log.warning("cannot start a guard process: %s; this worker goes on without one", error)
        return None


class WorkerEnd:
    """A guard process, as its worker sees it."""

    def __init__(self) -> None:
        """Start the guard; raise `OSError` if the system refuses."""
        theirs_pulses, self._pulses = os.pipe()
        theirs_stacks, self._stacks = os.pipe()
        self._wakeups = Wakeups()
        self._told, theirs_told = os.pipe()
        theirs = (theirs_pulses, theirs_stacks, theirs_told)
        try:
            self._process = _start(
                (theirs_pulses, theirs_stacks, self._wakeups.theirs, theirs_told)
            )
        finally:
            for descriptor in theirs:
                os.close(descriptor)
        self._rest_of_told = b""
        self._gone = False
        for descriptor in (self._stacks, self._told):
            os.set_blocking(descriptor, False)
        if hasattr(fcntl, "F_SETPIPE_SZ"):
            with suppress(OSError):
                fcntl.fcntl(self._stacks, fcntl.F_SETPIPE_SZ, _ROOM)
        faulthandler.register(STACK_SIGNAL, file=self._stacks, all_threads=False)
        self._worker = os.getpid()
        self._ended = False
        os.register_at_fork(after_in_child=self._leave_to_child)

    def introduce(self, **worker: Any) -> None:
        """Tell the guard what it may have to know; see `soniq_sa.cli.guard.introduction`."""
        self._send(json.dumps(worker).encode() + b"\n")
        os.set_blocking(self._pulses, False)

    def pulse(self, worker_id: UUID) -> None:
        """Say that Python runs; when this is not said again, the guard asks where the threads are."""
        self._send(b"p" + worker_id.hex.encode() + b"\n")

    def rest(self) -> None:
        """Say that no handler runs."""
        self._send(b"r\n")

    def told(self) -> list[tuple[float, LoopBlocked]]:
        """Return what the guard has noticed since the last call, each with its begin."""
        with suppress(BlockingIOError):
            self._rest_of_told += os.read(self._told, 1 << 16)
        *lines, self._rest_of_told = self._rest_of_told.split(b"\n")
        return list(filter(None, map(read_told, lines)))

    def hear_signals(self) -> None:
        """Have the guard see each signal that asks to stop, until `note_signal` is called for it."""
        self._wakeups.hear()

    def keep_hearing(self) -> None:
        """Go on seeing them, if the program has asked the loop for a signal meanwhile."""
        self._wakeups.come_first()

    def note_signal(self) -> None:
        """Say that the worker has taken one."""
        self._wakeups.take()
        self._send(b"s\n")

    def ignore_signals(self) -> None:
        """Undo `hear_signals`."""
        self._wakeups.ignore()

    def close(self) -> None:
        """Let the guard end."""
        if os.getpid() != self._worker:
            return  # a process that a handler has forked, and that goes on here
        self._ended = True
        os.close(self._pulses)
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(_END_GRACE)

    def _leave_to_child(self) -> None:
        """Have a process that was forked from the worker say nothing to the worker's guard."""
        if self._ended:
            return
        self._ended = True
        faulthandler.unregister(STACK_SIGNAL)
        self._wakeups.close()
        for descriptor in (self._pulses, self._stacks, self._told):
            os.close(descriptor)

    def _send(self, message: bytes) -> None:
        if self._ended:
            return
        try:
            os.write(self._pulses, message)
        except BlockingIOError:
            pass  # it loads the application, perhaps; the next pulse will do
        except OSError:
            self._note_gone()

    def _note_gone(self) -> None:
        self._process.poll()  # so that it does not stay a zombie
        if not self._gone:
            self._gone = True
            _log.warning(
                "the guard process %d has ended; this worker goes on without one", self._process.pid
            )


def read_told(line: bytes) -> tuple[float, LoopBlocked] | None:
    """Return what the guard has noticed; None for a line that is not whole."""
    try:
        began, event = json.loads(line)
        return began, LoopBlocked(**event, job_id=None, gil_held=True)
    except (ValueError, TypeError):
        return None


def _start(pipes: Sequence[int]) -> subprocess.Popen[bytes]:
    """Start it with signals blocked, so that in no moment of its life one of them ends it."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _BLOCKED)
    try:
        return subprocess.Popen(
            [
                sys.executable or "",
                "-P",
                "-m",
                "soniq_sa.cli.guard",
                *map(str, [os.getpid(), *pipes]),
            ],
            stdin=subprocess.DEVNULL,
            pass_fds=pipes,
        )
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
