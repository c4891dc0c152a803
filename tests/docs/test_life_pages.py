"""The pages on options, retries and outcomes tell of every option and every outcome."""

from __future__ import annotations

import re

import pytest

from docs.src.write import ROOT
from soniq_sa import JobOptions, Priority
from soniq_sa.asks import Ask
from soniq_sa.task_options import TaskOptions

DOCS = ROOT / "docs"


def page(name: str) -> str:
    """Return the text of a page."""
    return (DOCS / f"{name}.md").read_text("utf-8")


def test_the_options_page_has_a_line_for_every_option_of_a_job_and_no_other() -> None:
    told = re.findall(r"^\| `(\w+)` \|", page("options"), re.MULTILINE)
    assert set(told) == set(JobOptions.__annotations__)


@pytest.mark.parametrize("priority", list(Priority), ids=lambda one: one.name)
def test_the_options_page_has_every_named_priority(priority: Priority) -> None:
    assert re.search(rf"`(Priority\.)?{priority.name}` {priority.value}\b", page("options"))


@pytest.mark.parametrize(
    "option", [name for name in TaskOptions.__annotations__ if "retr" in name or "give" in name]
)
def test_the_retries_page_shows_every_option_about_retries(option: str) -> None:
    assert f"{option}=" in page("retries")


@pytest.mark.parametrize("ask", Ask.__subclasses__(), ids=lambda ask: ask.__name__)
def test_the_outcomes_page_has_everything_that_a_handler_can_ask(ask: type[Ask]) -> None:
    assert re.search(rf"^\| `{ask.__name__}\(", page("outcomes"), re.MULTILINE)
