"""Ctrl-C waits while something is half done, and strikes afterwards."""

import signal
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from soniq_sa.localserver import Keeper, ctrl_c_waits


def test_ctrl_c_strikes_when_the_body_has_ended() -> None:
    reached: list[str] = []
    with pytest.raises(KeyboardInterrupt):
        interrupted_body(reached)
    assert reached == ["the end"]


def interrupted_body(reached: list[str]) -> None:
    with ctrl_c_waits():
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)
        reached.append("the end")


def test_without_ctrl_c_nothing_happens_and_the_handler_is_as_before() -> None:
    before = signal.getsignal(signal.SIGINT)
    with ctrl_c_waits():
        assert signal.getsignal(signal.SIGINT) is not before
    assert signal.getsignal(signal.SIGINT) is before


def test_an_error_in_the_body_restores_the_handler() -> None:
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(ZeroDivisionError), ctrl_c_waits():
        raise ZeroDivisionError
    assert signal.getsignal(signal.SIGINT) is before


def test_another_thread_has_nothing_to_hold_back() -> None:
    def body() -> object:
        with ctrl_c_waits():
            return signal.getsignal(signal.SIGINT)

    with ThreadPoolExecutor(1) as thread:
        assert thread.submit(body).result() is signal.getsignal(signal.SIGINT)


def test_a_keeper_whose_shell_met_the_signal_keeps_all_the_same(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    keeper = Keeper()
    shell = keeper._shell  # noqa: SLF001 # pyright: ignore[reportPrivateUsage] - as a signal finds it
    keeper.end(2**22 + 1)
    shell.kill()
    shell.wait()
    keeper.remove(folder)
    keeper.finish()
    assert not folder.exists()
