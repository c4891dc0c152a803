"""The supervisor of worker processes, over small programs that behave as each test needs it."""

import asyncio
import re
import signal
import sys
import time
from pathlib import Path

import pytest

from soniq_sa.cli.processes import supervisor
from soniq_sa.cli.processes.child import Child
from soniq_sa.cli.processes.supervisor import Supervisor

PATIENCE = 15.0
PRELUDE = """
import os, signal, sys, time


def note(what):
    with open(what, "a") as file:
        file.write("x")
    return os.path.getsize(what)


def end_at_sigterm(code):
    signal.signal(signal.SIGTERM, lambda *_: os._exit(code))
    os.write(int(sys.argv[1].partition("=")[2]), b"r")
    note("ready")
    time.sleep(3600)


number = note("starts")
"""
"""Of each program; ``number`` says how many were started, this one included."""


class Program:
    """A program that a supervisor starts in the working directory."""

    def __init__(self, text: str) -> None:
        self.command = [sys.executable, "-I", "-S", "-c", PRELUDE + text]

    async def until(self, what: str, times: int) -> None:
        """Wait until it was so often started (``starts``), or ready to be stopped (``ready``)."""
        file = Path(what)
        async with asyncio.timeout(PATIENCE):
            while not (file.exists() and file.stat().st_size >= times):  # noqa: ASYNC110, ASYNC240
                await asyncio.sleep(0.005)


@pytest.fixture(autouse=True)
def in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


async def end_of(running: asyncio.Task[int]) -> int:
    """Return the exit code of a supervisor."""
    async with asyncio.timeout(PATIENCE):
        return await running


async def test_a_program_that_dies_at_its_start_is_started_again_after_growing_pauses() -> None:
    """Those before its starts 2 to 6 are at least 0.1, 0.2, 0.4, 0.8 and 1.6 s."""
    program = Program("sys.exit(9)")
    made = Supervisor(program.command, 2, run_once=False)
    began = time.monotonic()
    running = asyncio.create_task(made.run())
    await program.until("starts", 6)
    assert time.monotonic() - began >= 0.1 + 0.2 + 0.4 + 0.8 + 1.6
    made.stop()
    assert await end_of(running) in {0, 9}


async def test_the_pauses_have_a_limit_and_are_short_again_after_a_long_life(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(supervisor, "_FIRST_PAUSE", 0.01)
    monkeypatch.setattr(supervisor, "_LONGEST_PAUSE", 0.05)
    monkeypatch.setattr(Child, "age", property(lambda child: 10.0 if child.status == 8 else 9.9))
    program = Program("sys.exit(8 if number == 6 else 9)")
    made = Supervisor(program.command, 1, run_once=False)
    running = asyncio.create_task(made.run())
    await program.until("starts", 8)
    made.stop()
    await end_of(running)
    pauses = [float(one) for one in re.findall(r"takes its place in (\S+) s", caplog.text)]
    assert pauses[:7] == [0.01, 0.02, 0.04, 0.05, 0.05, 0.01, 0.02]


async def test_the_others_are_started_when_the_first_is_ready() -> None:
    program = Program(
        "if number == 1:\n"
        "    time.sleep(1)\n"
        "    open('by then', 'w').write(open('starts').read())\n"
        "end_at_sigterm(0)"
    )
    made = Supervisor(program.command, 3, run_once=False)
    running = asyncio.create_task(made.run())
    await program.until("ready", 3)
    made.stop()
    assert await end_of(running) == 0
    assert Path("by then").read_text() == "x"  # noqa: ASYNC240


@pytest.mark.parametrize("code", [2, 4])
async def test_one_that_refuses_to_start_is_not_started_again(code: int) -> None:
    program = Program(f"sys.exit({code})")
    made = Supervisor(program.command, 3, run_once=False)
    assert await end_of(asyncio.create_task(made.run())) == code
    assert Path("starts").read_text() == "x"  # noqa: ASYNC240


@pytest.mark.parametrize("code", [2, 4])
async def test_a_later_refusal_ends_all_and_its_exit_code_comes_first(code: int) -> None:
    program = Program(f"sys.exit({code}) if number == 2 else end_at_sigterm(77)")
    made = Supervisor(program.command, 2, run_once=False)
    assert await end_of(asyncio.create_task(made.run())) == code


async def test_the_exit_code_is_the_highest_of_the_last_processes() -> None:
    program = Program("sys.exit(99) if number == 2 else end_at_sigterm([0, 7, 0, 3][number])")
    made = Supervisor(program.command, 2, run_once=False)
    running = asyncio.create_task(made.run())
    await program.until("ready", 2)
    made.stop()
    assert await end_of(running) == 7


async def test_one_that_is_killed_while_it_stops_is_told_as_a_shell_tells_it() -> None:
    program = Program(
        "signal.signal(signal.SIGTERM, lambda *_: os.kill(os.getpid(), signal.SIGKILL))\n"
        "note('ready')\ntime.sleep(3600)"
    )
    made = Supervisor(program.command, 1, run_once=False)
    running = asyncio.create_task(made.run())
    await program.until("ready", 1)
    made.stop()
    assert await end_of(running) == 128 + signal.SIGKILL


async def test_one_that_sigterm_meets_before_it_listens_had_nothing_to_lose() -> None:
    program = Program("time.sleep(3600)")
    made = Supervisor(program.command, 2, run_once=False)
    running = asyncio.create_task(made.run())
    await program.until("starts", 1)
    made.stop()
    assert await end_of(running) == 0
    assert Path("starts").read_text() == "x"  # noqa: ASYNC240


async def test_with_run_once_one_that_ends_with_0_is_done_and_one_that_dies_is_replaced() -> None:
    program = Program("sys.exit(9 if number in (1, 3) else 0)")
    made = Supervisor(program.command, 2, run_once=True)
    assert await end_of(asyncio.create_task(made.run())) == 0
    assert Path("starts").read_text() == "xxxx"  # noqa: ASYNC240


async def test_without_run_once_one_that_ends_with_0_is_replaced() -> None:
    program = Program("sys.exit(0) if number == 1 else end_at_sigterm(0)")
    made = Supervisor(program.command, 1, run_once=False)
    running = asyncio.create_task(made.run())
    await program.until("ready", 1)
    made.stop()
    assert await end_of(running) == 0


async def test_a_program_that_cannot_be_started_for_now_is_tried_again(
    caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    program = Program("end_at_sigterm(0)")
    interpreter = tmp_path / "python"
    made = Supervisor([str(interpreter), *program.command[1:]], 1, run_once=False)
    running = asyncio.create_task(made.run())
    async with asyncio.timeout(PATIENCE):
        while "cannot start a worker process" not in caplog.text:  # noqa: ASYNC110
            await asyncio.sleep(0.005)
    interpreter.symlink_to(sys.executable)
    await program.until("ready", 1)
    made.stop()
    assert await end_of(running) == 0
