"""What a monitoring system sees of a worker. Needs the extra ``prometheus``."""

from __future__ import annotations

from soniq_sa.observability.prometheus import PrometheusMetrics

__all__ = ["PrometheusMetrics"]
