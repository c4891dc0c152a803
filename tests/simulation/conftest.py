"""A database with the tables, for what is compared with PostgreSQL."""

from tests.runtime.conftest import template, url  # noqa: F401 - fixtures
