"""The pages on retries and outcomes tell of every option about them and of every outcome."""

from __future__ import annotations

import re

import pytest

from docs.src.write import ROOT
from soniq_sa.asks import Ask
from soniq_sa.task_options import TaskOptions

DOCS = ROOT / "docs"


def page(name: str) -> str:
    """Return the text of a page."""
    return (DOCS / f"{name}.md").read_text("utf-8")


@pytest.mark.parametrize(
    "option", [name for name in TaskOptions.__annotations__ if "retr" in name or "give" in name]
)
def test_the_retries_page_shows_every_option_about_retries(option: str) -> None:
    assert f"{option}=" in page("retries")


@pytest.mark.parametrize("ask", Ask.__subclasses__(), ids=lambda ask: ask.__name__)
def test_the_outcomes_page_has_everything_that_a_handler_can_ask(ask: type[Ask]) -> None:
    assert re.search(rf"^\| `{ask.__name__}\(", page("outcomes"), re.MULTILINE)
