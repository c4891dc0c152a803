"""The reference has everything that is public, says what it is, and is what the code says."""

from __future__ import annotations

import ast
import dataclasses
import re
import textwrap
import tomllib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

import soniq_sa
import soniq_sa.errors
import soniq_sa.models
import soniq_sa.observability
from docs.src.reference.commands import command_sections
from docs.src.reference.errors import error_tree, told
from docs.src.reference.events import all_events
from docs.src.reference.objects import BEHIND_ATTRIBUTES, public_object
from docs.src.reference.parts import REFERENCE, all_homes, made, parts_of, with_parts
from soniq_sa import events
from soniq_sa.cli import exits
from soniq_sa.cli.main import commands
from soniq_sa.errors import SoniqError
from soniq_sa.settings import Settings

PAGES = sorted(REFERENCE.glob("*.md"))
PAGE = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
PUBLIC = [
    *soniq_sa.__all__,
    *soniq_sa.models.__all__,
    *soniq_sa.observability.__all__,
    *BEHIND_ATTRIBUTES,
]
ERRORS = [
    one
    for one in vars(soniq_sa.errors).values()
    if isinstance(one, type) and issubclass(one, SoniqError)
]
CODED = [one for one in ERRORS if one.code]


def text_of(name: str) -> str:
    """Return the text of a page of the reference."""
    return (REFERENCE / f"{name}.md").read_text("utf-8")


def rows_of(text: str) -> list[dict[str, str]]:
    """Return the rows of the first table of a text, by the heads of the columns."""
    head, _, *rows = [
        [cell.strip() for cell in line.strip("|").split(" |")]
        for line in re.split(r"\n(?!\|)", text[text.index("\n| ") + 1 :])[0].splitlines()
    ]
    return [dict(zip(head, row, strict=True)) for row in rows]


@pytest.mark.parametrize("name", PUBLIC)
def test_every_public_name_has_its_place(name: str) -> None:
    page, _ = all_homes()[name]
    assert page in PAGES


@PAGE
def test_no_two_headings_have_the_same_anchor(page: Path) -> None:
    titles = re.findall(r"^#+ (.+)$", outside_code(page.read_text("utf-8")), re.MULTILINE)
    anchors = Counter(re.sub(r"[^\w\- ]", "", title).lower().replace(" ", "-") for title in titles)
    assert max(anchors.values()) == 1, anchors.most_common(1)


@PAGE
def test_every_reference_is_a_link_or_plain_code(page: Path) -> None:
    assert "][" not in outside_code(page.read_text("utf-8"))


@PAGE
def test_the_page_is_in_the_navigation_and_in_the_list_of_pages(page: Path) -> None:
    site = tomllib.loads((REFERENCE.parent / "zensical.toml").read_text("utf-8"))
    (section,) = [one["Reference"] for one in site["project"]["nav"] if "Reference" in one]
    paths = [one if isinstance(one, str) else next(iter(one.values())) for one in section]
    assert f"reference/{page.name}" in paths
    assert page.stem == "index" or f"]({page.name})" in text_of("index")


@PAGE
def test_every_table_has_as_many_cells_in_each_row(page: Path) -> None:
    for block in re.findall(r"(?:^\|.*\n)+", page.read_text("utf-8"), re.MULTILINE):
        assert len({line.count(" |") for line in block.splitlines()}) == 1, block


@pytest.mark.parametrize(
    ("page", "options"), [("tasks", soniq_sa.TaskOptions), ("jobs", soniq_sa.JobOptions)]
)
def test_every_option_says_what_it_takes_its_default_and_its_meaning(
    page: str, options: Any
) -> None:
    rows = rows_of(text_of(page))
    assert [row["option"] for row in rows] == [f"`{name}`" for name in options.__annotations__]
    for row in rows:
        assert all(row.values()), row


def test_every_setting_says_what_it_takes_its_default_and_its_meaning() -> None:
    rows = rows_of(text_of("settings"))
    assert [row["setting"] for row in rows] == [
        f"`SONIQ_SA_{name.upper()}`" for name in Settings.model_fields
    ]
    for row in rows:
        assert row["takes"]
        assert row["default"]
        assert row["meaning"]


@pytest.mark.parametrize("name", ["concurrency", "drain_timeout", "lease", "poll_interval"])
def test_a_default_is_the_one_that_the_settings_have(name: str) -> None:
    (row,) = [
        row
        for row in rows_of(text_of("settings"))
        if row["setting"] == f"`SONIQ_SA_{name.upper()}`"
    ]
    assert float(row["default"]) == Settings.model_fields[name].default


@pytest.mark.parametrize("error", CODED, ids=lambda error: error.code)
def test_every_error_says_when_it_is_raised_and_what_to_do(error: type[SoniqError]) -> None:
    cause, remedy = told(error)
    assert cause
    assert all([*cause, remedy])
    assert f" {error.code} {error.__name__}\n\n{cause[0].split('[')[0]}" in text_of("errors")


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: error.__name__)
def test_the_tree_has_every_error_below_the_one_above_it(error: type[SoniqError]) -> None:
    lines = error_tree().splitlines()
    depth = {
        line[at.start() :].split()[0]: at.start() // 4
        for line in lines
        if (at := re.search(r"\w", line))
    }
    names = list(depth)
    place = names.index(error.__name__)
    above = [name for name in names[:place] if depth[name] == depth[error.__name__] - 1]
    assert error is SoniqError or above[-1] == error.__bases__[0].__name__
    (line,) = [line for line in lines if re.search(rf"\b{error.__name__}\b", line)]
    assert error.code in line


def test_every_event_has_a_section() -> None:
    classes = re.findall(
        r"^class (\w+)\(Event\):", Path(events.__file__).read_text("utf-8"), re.MULTILINE
    )
    assert classes == re.findall(r"^## `(\w+)`$", made("event sections"), re.MULTILINE)


@pytest.mark.parametrize("event", all_events(), ids=lambda event: event.__name__)
def test_every_event_says_when_it_is_emitted_and_what_it_holds(event: type[Any]) -> None:
    section = text_of("events").split(f"## `{event.__name__}`\n", 1)[1].split("\n## ", 1)[0]
    told_of, *_ = section.strip().split("\n\n")
    assert re.match(r"[A-Z].+\.$", told_of)
    for row in rows_of(section) if dataclasses.fields(event) else []:
        assert row["meaning"], row


@pytest.mark.parametrize(
    "name", [name for name in PUBLIC if dataclasses.is_dataclass(public_object(name))]
)
def test_every_attribute_of_a_public_dataclass_has_a_meaning(name: str) -> None:
    page, _ = all_homes()[name]
    for row in rows_of(page.read_text("utf-8").split(f"## `{name}`\n", 1)[1]):
        assert row["meaning"], row


@pytest.mark.parametrize("mixin", [name for name in soniq_sa.models.__all__ if "Mixin" in name])
def test_every_column_of_a_table_has_a_meaning(mixin: str) -> None:
    for row in rows_of(text_of("models").split(f"## `{mixin}`\n", 1)[1]):
        assert row["meaning"], row


def all_commands(path: str = "soniq-sa", command: Any = None) -> Iterator[str]:
    """Yield every command and group that can be typed, below ``soniq-sa``."""
    group = command or typer.main.get_command(commands)
    for name in group.list_commands(None):
        below = group.get_command(None, name)
        yield f"{path} {name}"
        if hasattr(below, "list_commands"):
            yield from all_commands(f"{path} {name}", below)


@pytest.mark.parametrize("command", list(all_commands()))
def test_every_command_has_a_section_with_each_option_that_its_help_shows(command: str) -> None:
    group, *rest = re.split(rf"^##+ {command}$", command_sections(), maxsplit=1, flags=re.MULTILINE)
    assert rest, group[-200:]
    section = rest[0].split("\n##", 1)[0]
    helped = CliRunner().invoke(commands, [*command.split()[1:], "--help"], env={"COLUMNS": "200"})
    shown = set(re.findall(r"^ +(--[a-z-]+|-\w, --[a-z-]+)", helped.output, re.MULTILINE))
    options = {one.split(", ")[-1] for one in shown} - {"--help"}
    shared = text_of("command_line").split(f"\n## {' '.join(command.split()[:2])}\n", 1)[1]
    for option in options:
        in_section = f"`{option}`" in section
        assert in_section or f"`{option}`" in shared.split("\n###", 1)[0], option
    if "| option |" in section:
        assert all(row["meaning"] for row in rows_of(section))


def test_every_exit_code_has_a_meaning() -> None:
    codes = {value for value in vars(exits).values() if isinstance(value, int)}
    rows = rows_of("\n" + made("exit codes"))
    assert {int(row["code"]) for row in rows} == codes
    assert all(row["meaning"] for row in rows)


@PAGE
def test_every_example_of_a_docstring_is_python(page: Path) -> None:
    for part in parts_of(page.read_text("utf-8")):
        for code in re.findall(r"^```python\n(.*?)^```$", made(part), re.MULTILINE | re.DOTALL):
            if not re.match(r"(async def|def|class) [^\n]*[^:\n]\n|\w+: |def \w+\(\n", code):
                ast.parse(f"async def example():\n{textwrap.indent(code, '    ')}")


def test_a_part_that_is_not_what_the_code_says_is_written_anew() -> None:
    page = REFERENCE / "settings.md"
    stale = "before\n<!-- generated: settings -->\nstale\n<!-- /generated -->\nafter\n"
    written = with_parts(stale, page)
    assert "stale" not in written
    assert "`SONIQ_SA_LEASE`" in written
    assert written.startswith("before\n<!-- generated: settings -->")
    assert written.endswith("<!-- /generated -->\nafter\n")
    assert with_parts(written, page) == written


def test_a_part_that_does_not_exist_names_those_that_do() -> None:
    with pytest.raises(LookupError, match=r"no part 'setings'\. There are: .*settings"):
        made("setings")


def outside_code(text: str) -> str:
    """Return a text without its blocks of code."""
    return re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL)
