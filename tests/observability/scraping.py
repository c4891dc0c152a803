"""Reads the metrics of a worker over HTTP."""

from __future__ import annotations

import re
import urllib.request

from prometheus_client.parser import text_string_to_metric_families

from tests.process.yard import PATIENCE, WorkerProcess, until

Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]

_URL = re.compile(r"metrics at (\S+)")


def urls_of(worker: WorkerProcess, count: int = 1) -> list[str]:
    """Return where a worker, or the processes of one, serve their metrics, as they have logged it."""
    until(
        lambda: len(_URL.findall(worker.log)) >= count,
        lambda: f"{count} endpoints:\n{worker.log}",
        3 * PATIENCE,
    )
    found: list[str] = _URL.findall(worker.log)
    return found


def scrape(url: str) -> str:
    """Return what one answer says."""
    with urllib.request.urlopen(url, timeout=5) as answer:  # noqa: S310 - our own server
        text: str = answer.read().decode()
    return text


def samples(text: str) -> Samples:
    """Return every sample of an answer, by name and labels."""
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def value(url: str, name: str, **labels: str) -> float | None:
    """Return one value; None if it is not there."""
    return samples(scrape(url)).get((name, frozenset(labels.items())))
