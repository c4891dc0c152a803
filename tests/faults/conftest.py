"""A yard of worker processes, and a proxy between one of them and the database."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.faults.proxy import Proxy, proxy_before
from tests.process.conftest import (  # noqa: F401 - fixtures
    private_server,
    private_yard,
    shop_url,
    yard,
)
from tests.process.yard import Yard


@pytest.fixture
def proxy(yard: Yard) -> Iterator[Proxy]:  # noqa: F811
    """Return a proxy in front of the yard's database."""
    with proxy_before(yard.url) as made:
        yield made
        yard.kill_workers()  # they would connect anew while it stops
