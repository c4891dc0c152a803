"""What came of schedules: a line for each, and a table over all of them."""

from __future__ import annotations

import shutil
import statistics
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tests.faults.schedules.checker import VERDICTS, Finding
from tests.faults.schedules.history import History
from tests.faults.schedules.plan import Schedule

UNPLAYED = "UNPLAYED"
"""Stands for a schedule that could not be played to its end: it says nothing, and is no success."""

_COUNTED = (*VERDICTS, UNPLAYED)

COMMAND = "python -m tests.faults.schedules"


@dataclass(frozen=True)
class Result:
    """What came of one schedule.

    faults: How many of each kind were done. findings: Verdict and text of each.
    recoveries: The seconds from a SIGKILL until a job that ran there started again, of each job.
    drained: The seconds from the end of the faults until all jobs had ended.
    folder: Journal and logs, "" if nothing is wrong with them.
    """

    seed: int
    pooled: bool
    faults: dict[str, int]
    skipped: list[str]
    jobs: int
    runs: int
    findings: list[list[str]]
    recoveries: list[float]
    drained: float
    seconds: float
    folder: str

    @classmethod
    def of(
        cls,
        schedule: Schedule,
        history: History,
        findings: Sequence[Finding],
        *,
        skipped: list[str],
        folder: Path,
        seconds: float,
        drained: float,
    ) -> Result:
        """Sum up a history, and keep its folder if there is something to be seen there."""
        if not findings:
            shutil.rmtree(folder)
        faults = Counter(one.kind for one in schedule.faults)
        faults.subtract(one.partition(":")[0] for one in skipped)
        return cls(
            seed=schedule.seed,
            pooled=schedule.pooled,
            faults=dict(+faults),
            skipped=skipped,
            jobs=len(history.rows),
            runs=len(history.runs),
            findings=[[one.verdict, f"{one.job} {one.text}".strip()] for one in findings],
            recoveries=[round(one, 3) for one in history.recoveries()],
            drained=round(drained, 2),
            seconds=round(seconds, 1),
            folder=str(folder) if findings else "",
        )

    @classmethod
    def broken(cls, seed: int, why: str, *, pooled: bool = False) -> Result:
        """Return the result of a schedule that could not be played to its end."""
        return cls(seed, pooled, {}, [], 0, 0, [[UNPLAYED, why]], [], 0.0, 0.0, "")

    @property
    def line(self) -> str:
        """Return what came of it on one line, and a line for each finding."""
        told = ", ".join(
            kind if count == 1 else f"{kind} x{count}" for kind, count in self.faults.items()
        )
        verdict = "clean" if not self.findings else f"{len(self.findings)} FINDINGS"
        head = (
            f"seed {self.seed}: {verdict}, {self.jobs} jobs, {self.runs} starts, "
            f"{self.seconds:.0f} s; {told}"
        )
        return "\n".join([head, *self._details()])

    def _details(self) -> list[str]:
        if not self.findings:
            return []
        again = f"    replay with: {COMMAND} --seed {self.seed}{' --pooled' * self.pooled}"
        found = [f"    {verdict} {text}" for verdict, text in self.findings[:20]]
        return [*found, f"    journal and logs: {self.folder}", again]

    def as_json(self) -> dict[str, Any]:
        """Return it as it is written to a file or a pipe."""
        return asdict(self)


@dataclass(frozen=True)
class Summary:
    """What came of all of them."""

    results: Sequence[Result]

    @property
    def clean(self) -> bool:
        """Tell whether nothing was found."""
        return not any(result.findings for result in self.results)

    def as_json(self) -> dict[str, Any]:
        """Return the totals, and each schedule."""
        recoveries = sorted(one for result in self.results for one in result.recoveries)
        return {
            "schedules": len(self.results),
            "faults": dict(sum((Counter(one.faults) for one in self.results), Counter())),
            "jobs": sum(result.jobs for result in self.results),
            "starts": sum(result.runs for result in self.results),
            **{name: self._count(name) for name in _COUNTED},
            "recovered": len(recoveries),
            "median_recovery": statistics.median(recoveries) if recoveries else None,
            "slowest_recovery": recoveries[-1] if recoveries else None,
            "slowest_drain": max((one.drained for one in self.results), default=None),
            "skipped": sorted({one for result in self.results for one in result.skipped}),
            "results": [result.as_json() for result in self.results],
        }

    def _count(self, verdict: str) -> int:
        return sum(found == verdict for one in self.results for found, _ in one.findings)

    def table(self) -> str:
        """Return the totals for people."""
        totals = self.as_json()
        faults = sorted(totals["faults"].items(), key=lambda one: -one[1])
        lines = [
            ("schedules", str(totals["schedules"])),
            ("faults", str(sum(totals["faults"].values()))),
            *((f"  {kind}", str(count)) for kind, count in faults),
            ("jobs", str(totals["jobs"])),
            ("starts", str(totals["starts"])),
            *((name, str(totals[name])) for name in _COUNTED),
            ("jobs that a SIGKILL met", str(totals["recovered"])),
            ("  started again, median", _seconds(totals["median_recovery"])),
            ("  started again, slowest", _seconds(totals["slowest_recovery"])),
            ("slowest drain after the faults", _seconds(totals["slowest_drain"])),
            *(("skipped", one) for one in totals["skipped"]),
        ]
        return "\n".join(f"{name:<32} {value}" for name, value in lines)


def _seconds(value: float | None) -> str:
    return "none" if value is None else f"{value:.2f} s"
