"""A yard of worker processes, a folder with an application, and a registry of the test's own."""

from __future__ import annotations

import pytest
from prometheus_client import CollectorRegistry

from tests.cli.conftest import folder  # noqa: F401 - fixture
from tests.process.conftest import shop_url, yard  # noqa: F401 - fixtures


@pytest.fixture
def registry() -> CollectorRegistry:
    """Return a registry that nobody else uses."""
    return CollectorRegistry()
