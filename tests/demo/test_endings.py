"""What the demo says, and its exit status, where it cannot run or the figures are bad."""

import asyncio
import signal
from dataclasses import replace

import pytest
import typer
from typer.testing import CliRunner, Result

from soniq_sa.cli.demo import command, demo, example
from soniq_sa.cli.demo.failure import DemoFailedError
from soniq_sa.cli.demo.report import Report
from soniq_sa.cli.demo.run import run_cancellable
from tests.demo.test_screen import REPORT

application = typer.Typer()
application.command()(demo)


def run(*arguments: str) -> Result:
    return CliRunner().invoke(application, [*arguments])


def test_a_missing_package_is_named_with_the_command_that_installs_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(example, "PACKAGES", ("typer", "not_installed", "neither"))
    result = run()
    assert result.exit_code == 2
    assert result.stderr == (
        "soniq-sa demo needs not_installed, neither: pip install 'soniq-sa[demo]'\n"
    )


def test_a_database_out_of_reach_is_status_5() -> None:
    result = run("--database-url", "postgresql://somebody:secret@127.0.0.1:1/nowhere")
    assert result.exit_code == 5
    assert "cannot connect to" in result.stdout
    assert "secret" not in result.stdout


@pytest.mark.parametrize(
    "figures",
    [{"phantom_jobs": 1}, {"lost_jobs": 1}, {"duplicated_invoices": 1}],
    ids=lambda figures: next(iter(figures)),
)
def test_a_broken_promise_is_status_1(
    monkeypatch: pytest.MonkeyPatch, figures: dict[str, int]
) -> None:
    report: Report = replace(REPORT, **{"lost_jobs": 0, **figures})
    monkeypatch.setattr(command, "run_demo", lambda *_: report)
    assert run().exit_code == 1


def test_kept_promises_are_status_0(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "run_demo", lambda *_: replace(REPORT, lost_jobs=0))
    assert run().exit_code == 0


def test_a_process_that_fails_is_shown_with_the_end_of_its_log(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(example, "APP", "shop.no_such_module:app")
    result = run("--workers", "1")
    assert result.exit_code == 1
    assert "Failed: shop ended with status " in result.stdout
    assert "no_such_module" in result.stdout


@pytest.mark.parametrize("arguments", [("--orders", "3"), ("--workers", "0")])
def test_numbers_too_small_are_a_usage_error(arguments: tuple[str, str]) -> None:
    assert run(*arguments).exit_code == 2


def test_ctrl_c_is_what_ended_the_demo_though_it_has_reached_a_child_first() -> None:
    """A terminal sends it to the whole group, to which a child belongs in its first moment."""

    async def find_the_child_dead() -> Report:
        signal.raise_signal(signal.SIGINT)
        await asyncio.sleep(0)
        raise AssertionError

    async def find_the_child_dead_at_once() -> Report:
        signal.raise_signal(signal.SIGINT)
        raise DemoFailedError("the shop ended with status -2")

    for main in (find_the_child_dead, find_the_child_dead_at_once):
        with pytest.raises(KeyboardInterrupt):
            run_cancellable(main)
    with pytest.raises(DemoFailedError):
        run_cancellable(fail)


async def fail() -> Report:
    raise DemoFailedError("the shop ended with status 1")
