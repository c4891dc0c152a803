"""Findings as people read them on a terminal, and as programs do."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import typer

from soniq_sa.cli.doctor.finding import Finding, Level
from soniq_sa.cli.output import counted, hanging
from soniq_sa.lines import one_line

_COLOURS = {Level.OK: "green", Level.NOTE: "cyan", Level.WARNING: "yellow", Level.PROBLEM: "red"}
_INDENT = 23


def lines_of(finding: Finding) -> str:
    """Return the line of a finding, and one with what to do."""
    label = typer.style(f"{finding.level:<9}", fg=_COLOURS[finding.level])
    text = f"{label}{finding.check:<14}{hanging(one_line(finding.what), _INDENT)}"
    if not finding.remedy:
        return text
    return f"{text}\n{'':{_INDENT}}→ {hanging(one_line(finding.remedy), _INDENT + 2)}"


def sum_of(findings: Sequence[Finding]) -> str:
    """Return how many findings there are of each level."""
    number = Counter(one.level for one in findings)
    bad = [
        counted(number[level], level.value)
        for level in (Level.PROBLEM, Level.WARNING)
        if number[level]
    ]
    rest = [counted(number[Level.NOTE], "note")] if number[Level.NOTE] else []
    if bad:
        return f"{', '.join([*bad, *rest])}."
    return f"Nothing to do{f'; {rest[0]}' if rest else ''}."


def document_of(url: str, findings: Sequence[Finding]) -> dict[str, Any]:
    """Return the findings as JSON takes them."""
    return {
        "ok": not any(one.needs_action for one in findings),
        "database": url,
        "findings": [asdict(one) for one in findings],
    }
