"""The metrics of a worker of the command line."""

from __future__ import annotations

import logging

from soniq_sa.app import Soniq
from soniq_sa.errors import ConfigurationError
from soniq_sa.observability.endpoint import MetricsEndpoint
from soniq_sa.observability.prometheus import PrometheusMetrics
from soniq_sa.settings import Settings

_log = logging.getLogger("soniq_sa")


def serve_metrics(soniq: Soniq, settings: Settings) -> None:
    """Serve the metrics of ``soniq`` where the settings say, if they do."""
    if settings.metrics_port is None:
        if "metrics_host" in settings.model_fields_set:
            raise ConfigurationError(
                f"--metrics-host {settings.metrics_host} (or SONIQ_SA_METRICS_HOST) says where metrics are "
                "served, and nothing says at which port: give --metrics-port (or SONIQ_SA_METRICS_PORT), or "
                "leave it out."
            )
        return
    PrometheusMetrics(soniq)
    endpoint = MetricsEndpoint(settings.metrics_host, settings.metrics_port, settings.processes)
    _log.info("metrics at %s", endpoint.url)
