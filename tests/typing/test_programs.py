"""mypy and pyright accept every program in `passes`, and of those in `fails` exactly the marked lines not.

A mark is a comment behind the line: `# error: <part of mypy's message> || <part of pyright's message>`.
"""

import json
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

HERE = Path(__file__).parent
PASSES = sorted(HERE.glob("passes/*.py"))
FAILS = sorted(HERE.glob("fails/*.py"))

MARK = re.compile(r"# error: (?P<mypy>.+) \|\| (?P<pyright>.+)$")


@dataclass(frozen=True)
class Finding:
    """One error that a type checker reports."""

    file: str
    line: int
    message: str


@cache
def mypy() -> tuple[Finding, ...]:
    """Check every program with mypy."""
    output = _run("mypy", "--config-file", "mypy.ini", "--output", "json", ".")
    reports = [json.loads(line) for line in output.splitlines() if line.startswith("{")]
    assert reports or "Success" in output, output
    return tuple(
        Finding(r["file"], r["line"], r["message"]) for r in reports if r["severity"] == "error"
    )


@cache
def pyright() -> tuple[Finding, ...]:
    """Check every program with pyright."""
    report = json.loads(_run("pyright", "--pythonpath", sys.executable, "--outputjson"))
    assert report["summary"]["filesAnalyzed"] > len(PASSES + FAILS), report
    return tuple(
        Finding(
            Path(r["file"]).relative_to(HERE).as_posix(),
            r["range"]["start"]["line"] + 1,
            r["message"],
        )
        for r in report["generalDiagnostics"]
        if r["severity"] == "error"
    )


def _run(checker: str, *arguments: str) -> str:
    command = [sys.executable, "-m", checker, *arguments]
    run = subprocess.run(command, cwd=HERE, capture_output=True, text=True, check=False)
    assert run.returncode in (0, 1), run.stdout + run.stderr
    return run.stdout


CHECKERS = [mypy, pyright]
Checker = Callable[[], tuple[Finding, ...]]


@pytest.fixture(params=CHECKERS, ids=lambda checker: checker.__name__)
def checker(request: pytest.FixtureRequest) -> Checker:
    """Run the test once per type checker."""
    chosen: Checker = request.param
    return chosen


@pytest.mark.parametrize("program", [HERE / "shop.py", *PASSES], ids=lambda path: path.stem)
def test_the_program_passes(checker: Checker, program: Path) -> None:
    assert _findings(checker, program) == []


@pytest.mark.parametrize("program", FAILS, ids=lambda path: path.stem)
def test_exactly_the_marked_lines_fail(checker: Checker, program: Path) -> None:
    marks = _marks(program, checker.__name__)
    found: dict[int, list[str]] = {}
    for finding in _findings(checker, program):
        found.setdefault(finding.line, []).append(finding.message)
    assert found.keys() == marks.keys()
    for line, part in marks.items():
        assert any(part in message for message in found[line]), (line, part, found[line])


def _findings(checker: Checker, program: Path) -> list[Finding]:
    name = program.relative_to(HERE).as_posix()
    return [finding for finding in checker() if finding.file == name]


def _marks(program: Path, checker: str) -> dict[int, str]:
    lines = enumerate(program.read_text(encoding="utf-8").splitlines(), start=1)
    return {number: mark[checker] for number, line in lines if (mark := MARK.search(line))}
