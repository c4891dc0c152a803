"""The metrics of a worker in the client library of Prometheus."""

from __future__ import annotations

from types import ModuleType
from typing import TYPE_CHECKING, Any

from soniq_sa.application import Application
from soniq_sa.errors import ConfigurationError, OptionError
from soniq_sa.events import Event
from soniq_sa.observability.changes import changes_by
from soniq_sa.observability.label_values import LabelValues
from soniq_sa.observability.metrics import METRICS

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry


class PrometheusMetrics:
    """Turn the events of a worker into metrics.

    ``soniq-sa worker --metrics-port`` makes one by itself. In a program of its own, make it before the
    worker runs, and expose the registry as the other metrics of the program.

    Labels hold names of tasks, queues and parts, and words of soniq-sa: never arguments, and never the
    text of an error.

    Example::

        PrometheusMetrics(soniq)
        asyncio.run(soniq.run_worker())
    """

    def __init__(
        self,
        soniq: Application,
        registry: CollectorRegistry | None = None,
        *,
        label_values: int = 200,
    ) -> None:
        """Register the metrics, and subscribe to ``soniq.events``.

        registry: Where they are registered. Default: the default registry of ``prometheus_client``.
        label_values: How many values a label may have; what comes later is counted as ``other``.
            Default 200.

        Raises `ConfigurationError` if ``prometheus_client`` is not installed, or if the registry has
        these metrics already, and `OptionError` for less than one value.
        """
        if label_values < 1:
            raise OptionError(f"label_values={label_values} is not 1 or more.")
        client = prometheus_client()
        registry = client.REGISTRY if registry is None else registry
        kinds = {"counter": client.Counter, "gauge": client.Gauge}
        try:
            self._families: dict[str, Any] = {
                one.name: kinds[one.kind](one.name, one.help, one.labels, registry=registry)
                for one in METRICS
            }
        except ValueError as error:
            raise ConfigurationError(
                f"The registry {registry!r} has metrics of soniq-sa already ({error}). Make one "
                "PrometheusMetrics for each registry; with `soniq-sa worker --metrics-port`, none."
            ) from error
        self._values = LabelValues(label_values)
        soniq.events.subscribe(self._note)

    def _note(self, event: Event) -> None:
        """Count ``event``; may be called from any thread."""
        for change in changes_by(event):
            metric = change.metric
            family = self._families[metric.name]
            if metric.labels:
                pairs = zip(metric.labels, change.values, strict=True)
                family = family.labels(*(self._values.admit(*pair) for pair in pairs))
            if metric.kind == "counter":
                family.inc(change.amount)
            else:
                family.set(change.amount)


def prometheus_client() -> ModuleType:
    """Return the client library; raise `ConfigurationError` if it cannot be imported."""
    try:
        import prometheus_client as client
    except ImportError as error:
        raise ConfigurationError(
            f"Metrics need prometheus_client, which cannot be imported ({error}). Install it: "
            "pip install 'soniq-sa[prometheus]'."
        ) from error
    return client
